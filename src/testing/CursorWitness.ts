/**
 * What a named cursor should do, said as simply as possible, and compared with what consumers get: messages numbered in
 * the order in which they were published, up to which number they were handled, and up to which that is known to be
 * committed.
 */
import type { Message } from "../domain/Message.ts"

/** One consumer, from its beginning until it ends. */
export class Session {
  /** The number of the last message that it got. */
  last: number | undefined
  handled = 0
  /** It has lost its cursor, whether it knows or not: what it does says nothing any more. */
  isFenced = false
}

/** Messages say their numbers themselves. */
const numberOf = ({ payload }: Message): number => Number(Buffer.from(payload).toString())

export class CursorWitness {
  readonly faults: Array<string> = []
  /** Where the messages are, by their numbers, as far as their publishers know by now. */
  readonly #positions = new Map<number, number>()
  #count = 0
  #handledTo = 0
  #committedTo = 0

  /** The next message is about to be published; gives its number. */
  publish(): number {
    return ++this.#count
  }

  published(messages: ReadonlyArray<Message>): void {
    for (const message of messages) this.#positions.set(numberOf(message), message.position)
  }

  /** How many messages are still to be handled. */
  get pending(): number {
    return this.#count - this.#handledTo
  }

  /** A consumer got messages: in order, none left out, none again that was committed. */
  given(session: Session, messages: ReadonlyArray<Message>): void {
    for (const number of messages.map(numberOf)) {
      const before = session.last
      session.last = number
      if (before === undefined) this.#first(session, number)
      else if (number !== before + 1) this.faults.push(`after ${before} came ${number}`)
    }
  }

  #first(session: Session, number: number): void {
    if (session.isFenced) return
    if (number > this.#handledTo + 1) {
      this.faults.push(`skipped: ${number} came first, and ${this.#handledTo + 1} was never handled`)
    }
    if (number <= this.#committedTo) this.faults.push(`${number} came again, and ${this.#committedTo} was committed`)
    // From here on they are handled again.
    this.#handledTo = Math.min(this.#handledTo, number - 1)
  }

  handled(session: Session, messages: ReadonlyArray<Message>): void {
    session.handled += messages.length
    const last = numberOf(messages[messages.length - 1]!)
    if (!session.isFenced && last > this.#handledTo) this.#handledTo = last
  }

  /** Whoever held the cursor has ended as he should: what was handled is committed. */
  ended(): void {
    this.#committedTo = this.#handledTo
  }

  /** The number of the last message up to a position. */
  #lastUpTo(position: number): number {
    let last = 0
    for (const [number, at] of this.#positions) if (at <= position) last = Math.max(last, number)
    return last
  }

  /** The cursor was put somewhere. */
  reset(position: number): void {
    this.#handledTo = this.#lastUpTo(position)
    this.#committedTo = this.#handledTo
  }

  /** The cursor stands there in the store: past nothing that was not handled, and not before what is committed. */
  stands(position: number): void {
    const number = this.#lastUpTo(position)
    if (number > this.#handledTo) {
      this.faults.push(`skipped: the cursor is behind ${number}, and ${this.#handledTo + 1} was never handled`)
    }
    if (number < this.#committedTo) {
      this.faults.push(`the cursor is behind ${number}, and ${this.#committedTo} was committed`)
    }
  }
}
