/**
 * How much may wait to be stored, for all clients of a server together: whoever comes when there is no room waits for
 * its turn, first come first served. So no number of clients makes a node hold more than this.
 */
import * as Effect from "effect/Effect"
import { NoRoom } from "../codec/errorCodec.ts"

/** Bytes of drafts that are under way at most; one alone may be larger. */
export const admittedBytesMax = 64 * 1024 * 1024

/** How long a call without a deadline waits for room, in milliseconds. */
const waitMillisMax = 30_000

/** A call that waits for room gives up when this part of its time is over: its answer must come before its deadline. */
const waitShareMax = 0.8

interface Waiter {
  readonly bytes: number
  readonly go: () => void
}

export class Admission {
  readonly #bytesMax: number
  #bytes = 0
  #waiting: Array<Waiter> = []

  constructor(bytesMax: number = admittedBytesMax) {
    this.#bytesMax = bytesMax
  }

  /** What the drafts hold that are under way, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** How many wait for room. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Takes room at once where there is some, or in any case where it `must`. */
  tryEnter(bytes: number, must = false): boolean {
    if (!must && (this.#waiting.length > 0 || !this.#fits(bytes))) return false
    this.#bytes += bytes
    return true
  }

  /** Takes room as soon as there is some, and then runs `go`. Gives what takes the wish back. */
  enter(bytes: number, go: () => void): () => void {
    const waiter: Waiter = { bytes, go }
    this.#waiting.push(waiter)
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== waiter)
      this.#admit()
    }
  }

  /** Gives room back. */
  leave(bytes: number): void {
    this.#bytes -= bytes
    if (this.#waiting.length > 0) this.#admit()
  }

  /**
   * Runs an effect with room taken. Fails with `NoRoom`, and has done nothing, where there is none in time.
   *
   * @param remainingMillis what is left of the caller's time
   */
  within<A, E>(bytes: number, remainingMillis: number, effect: Effect.Effect<A, E>): Effect.Effect<A, E | NoRoom> {
    return Effect.suspend((): Effect.Effect<A, E | NoRoom> => {
      let isIn = this.tryEnter(bytes)
      const leave = Effect.sync(() => {
        if (isIn) this.leave(bytes)
      })
      if (isIn) return Effect.ensuring(effect, leave)
      const entered = Effect.callback<void, NoRoom>((resume) => {
        const takeBack = this.enter(bytes, () => {
          isIn = true
          clearTimeout(timer)
          resume(Effect.void)
        })
        const giveUp = (): void => {
          clearTimeout(timer)
          if (!isIn) takeBack()
        }
        const timer = setTimeout(
          () => {
            giveUp()
            resume(Effect.fail(new NoRoom()))
          },
          Math.min(waitMillisMax, remainingMillis * waitShareMax),
        )
        return Effect.sync(giveUp)
      })
      return Effect.ensuring(Effect.andThen(entered, effect), leave)
    })
  }

  #fits(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#bytesMax
  }

  #admit(): void {
    while (this.#waiting.length > 0 && this.#fits(this.#waiting[0]!.bytes)) {
      const { bytes, go } = this.#waiting.shift()!
      this.#bytes += bytes
      go()
    }
  }
}
