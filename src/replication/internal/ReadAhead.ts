/**
 * Reading a log of a peer ahead of what is being stored: several questions are on their way at a time, each for what follows
 * where the one before it is answered in full. That an answer is not full is known only when it is there: then the others
 * are taken back, and from then on nothing is asked ahead but from where an answer has ended.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { PeerAnswer } from "../Peer.ts"
import type { Asked } from "./vetting.ts"

/** Questions that are on their way at a time: one being answered, one on the way there, one on the way back. */
const aheadMax = 3

export interface Answered {
  readonly asked: Asked
  readonly answer: PeerAnswer
}

export interface ReadAheadOptions<E> {
  /** What to ask for from an offset on: a batch, and so many messages more. */
  readonly ask: (from: number, more: number) => Asked
  readonly fetch: (asked: Asked) => Effect.Effect<PeerAnswer, E>
  /** The last offset that is wanted. */
  readonly to: number
}

interface Question<E> {
  readonly asked: Asked
  readonly answer: Fiber.Fiber<PeerAnswer, E>
}

const lastOf = ({ from, limit }: Asked): number => from + limit - 1

export class ReadAhead<E> {
  readonly #options: ReadAheadOptions<E>
  #questions: Array<Question<E>> = []
  #ahead = aheadMax

  constructor(options: ReadAheadOptions<E>) {
    this.#options = options
  }

  /** Asks from an offset on, so many messages more than a batch, and ahead of that with the last one of each answer again. */
  goOn(from: number, more: number): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      if (this.#questions[0]?.asked.from !== from) {
        if (this.#questions.length > 0) this.#ahead = 1
        yield* Fiber.interruptAll(this.#questions.map(({ answer }) => answer))
        this.#questions = [yield* this.#begin(from, more)]
      }
      while (this.#questions.length < this.#ahead) {
        const last = lastOf(this.#questions.at(-1)!.asked)
        if (last >= this.#options.to) return
        this.#questions.push(yield* this.#begin(last, 1))
      }
    })
  }

  /** The answer to the first question that is open. */
  readonly next: Effect.Effect<Answered, E> = Effect.suspend(() => {
    const question = this.#questions.shift()!
    return Effect.map(Fiber.join(question.answer), (answer) => ({ asked: question.asked, answer }))
  })

  #begin(from: number, more: number): Effect.Effect<Question<E>, never, Scope.Scope> {
    const asked = this.#options.ask(from, more)
    const fetch = this.#options.fetch(asked)
    return Effect.map(Effect.forkScoped(fetch, { startImmediately: true }), (answer) => ({ asked, answer }))
  }
}
