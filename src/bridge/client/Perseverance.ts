/**
 * What goes on for long does when the node falls silent: it waits, longer each time, and begins again, for as long as it
 * may. It gives up at once where the node never answered, and where asking again cannot help.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { Unavailable } from "../../domain/errors.ts"

const backoffMillisMin = 50
const backoffMillisMax = 2000

export class Perseverance {
  readonly #millisMax: number
  #hasBegun = false
  #attempts = 0
  #lostAt = 0

  /** @param millisMax how long it tries, from when it was lost */
  constructor(millisMax: number) {
    this.#millisMax = millisMax
  }

  /** The node has answered. */
  begun(): void {
    this.#hasBegun = true
    this.#attempts = 0
  }

  /** There is no answer. Succeeds when it is time to begin again. */
  lost({ message, isFinal = false }: { readonly message: string; readonly isFinal?: boolean }) {
    return Effect.gen({ self: this }, function* () {
      const now = performance.now()
      if (this.#attempts === 0) this.#lostAt = now
      if (!this.#hasBegun || isFinal || now - this.#lostAt >= this.#millisMax) {
        return yield* new Unavailable({ message })
      }
      const backoff = Math.min(backoffMillisMin * 2 ** Math.min(this.#attempts, 16), backoffMillisMax)
      this.#attempts++
      yield* Effect.sleep(Math.round(backoff * (0.75 + 0.5 * (yield* Random.next))))
    })
  }
}
