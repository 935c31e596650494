/**
 * What a peer has told that nobody has looked at yet: the logs that have moved, each with its last head, or that all are to be
 * looked at. Bounded by the logs that there are.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as LogId from "../../domain/LogId.ts"

export class Moves {
  #heads: Map<string, LogId.LogHead> = new Map()
  #isWholeDue = false
  readonly #some = Latch.makeUnsafe(false)
  readonly #headsMax: number

  constructor(headsMax: number) {
    this.#headsMax = headsMax
  }

  add(heads: ReadonlyArray<LogId.LogHead>): void {
    for (const head of heads) this.#heads.set(LogId.key(head), head)
    if (this.#heads.size > this.#headsMax) this.wantWhole()
    else if (this.#heads.size > 0) this.#some.openUnsafe()
  }

  /** The logs that have moved, where there are any now, without waiting. That all are to be looked at is not forgotten. */
  takeNow(): ReadonlyArray<LogId.LogHead> {
    const heads = [...this.#heads.values()]
    this.#heads = new Map()
    if (!this.#isWholeDue) this.#some.closeUnsafe()
    return heads
  }

  /** Logs that were taken, and are left for later. What has been told of them meanwhile is newer. */
  giveBack(heads: ReadonlyArray<LogId.LogHead>): void {
    this.add(heads.filter((head) => !this.#heads.has(LogId.key(head))))
  }

  /** Something may have been missed. */
  wantWhole(): void {
    this.#heads = new Map()
    this.#isWholeDue = true
    this.#some.openUnsafe()
  }

  /** Waits until there is something: the logs that have moved, or undefined where all are to be looked at. */
  readonly take: Effect.Effect<ReadonlyArray<LogId.LogHead> | undefined> = Effect.map(
    Effect.suspend(() => this.#some.await),
    () => {
      const heads = this.#isWholeDue ? undefined : [...this.#heads.values()]
      this.#heads = new Map()
      this.#isWholeDue = false
      this.#some.closeUnsafe()
      return heads
    },
  )
}
