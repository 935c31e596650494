/**
 * How long a peer may be silent before its connection is taken for dead. It says something every second, so three seconds
 * are enough, unless the way is so slow that one large message takes longer: where it fell silent in the middle of a
 * fetch it may have been that, and the next time it is given twice as long, until a fetch has come to its end.
 */
import * as Effect from "effect/Effect"

const silenceMillis = 3000
const fetchMillis = 20_000
const factorMax = 16

export class Patience {
  #factor = 1
  #fetches = 0
  #heardAt = performance.now()

  get silenceMillis(): number {
    return silenceMillis * this.#factor
  }

  /** How long a fetch may take as a whole. */
  get fetchMillis(): number {
    return fetchMillis * this.#factor
  }

  /** Whether nothing at all has been heard for so long. */
  get isOver(): boolean {
    return performance.now() - this.#heardAt >= this.silenceMillis
  }

  heard(): void {
    this.#heardAt = performance.now()
  }

  /** The connection was given up. */
  lost(): void {
    if (this.#fetches > 0) this.#factor = Math.min(2 * this.#factor, factorMax)
  }

  /** Runs a fetch. */
  during<A, E>(fetch: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      this.#fetches++
      return Effect.tap(fetch, () =>
        Effect.sync(() => {
          this.#factor = 1
        }),
      )
    }).pipe(Effect.ensuring(Effect.sync(() => this.#fetches--)))
  }
}
