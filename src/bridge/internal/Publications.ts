/**
 * Who published what is on its way through the journal: known by this process alone, from before a message can be seen
 * until all live subscribers have been given it. Nothing of it is stored, so that a message is stored as it was published.
 */
import type { Message } from "../../domain/Message.ts"
import type { Depositor, DepositError, PublishError } from "../../topics/index.ts"

/** Whose name a message is delivered in. */
export interface Publisher {
  readonly name: string
  readonly isRealtime: boolean
}

/** Something that is stored and waits for its delivery. */
interface Stored {
  readonly position: number
  readonly delivered: () => void
}

/** What became of a publication: nothing where it is stored and delivered. */
export type Done = (failure?: DepositError) => void

/** Publishers that are remembered of messages of which nobody knows whether they are stored. */
const doubtfulMax = 4096

export class Publications {
  readonly #publishers = new Map<string, Publisher>()
  /** In the order of their positions. */
  #stored: Array<Stored> = []
  readonly #doubtful: Array<string> = []
  readonly #position: () => number

  /** @param position of the journal up to which everything has been delivered */
  constructor(position: () => number) {
    this.#position = position
  }

  /** Stored, or on the way there, and not delivered. */
  get size(): number {
    return this.#publishers.size
  }

  /** One message that is to be stored; `done` is called once, when it has been delivered or has not been stored. */
  begin(publisher: Publisher, done: Done): Depositor {
    let id = ""
    return {
      named: (name) => this.#publishers.set((id = name), publisher),
      stored: ({ position }) =>
        this.#wait(position, () => {
          this.#publishers.delete(id)
          done()
        }),
      failed: (failure) => {
        this.#failed(id, failure)
        done(failure)
      },
    }
  }

  /** Messages that are about to be stored. */
  named(publisher: Publisher, ids: ReadonlyArray<string>): void {
    for (const id of ids) this.#publishers.set(id, publisher)
  }

  /** … and that have been, … */
  stored(ids: ReadonlyArray<string>, messages: ReadonlyArray<Message>): void {
    const last = messages.reduce((most, { position }) => Math.max(most, position), 0)
    this.#wait(last, () => {
      for (const id of ids) this.#publishers.delete(id)
    })
  }

  /** … or have not. */
  failed(ids: ReadonlyArray<string>, failure: PublishError): void {
    for (const id of ids) this.#failed(id, failure)
  }

  /** Who published a message that is being delivered, if that was here; once. */
  take(id: string): Publisher | undefined {
    if (this.#publishers.size === 0) return undefined
    const publisher = this.#publishers.get(id)
    if (publisher !== undefined) this.#publishers.delete(id)
    return publisher
  }

  /** All up to this position has been delivered. Gives whether anybody waited for that. */
  reached(position: number): boolean {
    const stored = this.#stored
    let count = 0
    while (count < stored.length && stored[count]!.position <= position) count++
    if (count === 0) return false
    this.#stored = stored.slice(count)
    for (let i = 0; i < count; i++) stored[i]!.delivered()
    return true
  }

  /** Nothing is delivered any more: what is stored counts as done. */
  close(): void {
    this.reached(Number.POSITIVE_INFINITY)
  }

  #wait(position: number, delivered: () => void): void {
    if (position <= this.#position()) return delivered()
    // Commits are answered in their order, but what was repeated by its key is older.
    let at = this.#stored.length
    while (at > 0 && this.#stored[at - 1]!.position > position) at--
    if (at === this.#stored.length) this.#stored.push({ position, delivered })
    else this.#stored.splice(at, 0, { position, delivered })
  }

  #failed(id: string, failure: PublishError): void {
    if (failure._tag !== "OutcomeUnknown") {
      this.#publishers.delete(id)
      return
    }
    this.#doubtful.push(id)
    if (this.#doubtful.length > doubtfulMax) this.#publishers.delete(this.#doubtful.shift()!)
  }
}
