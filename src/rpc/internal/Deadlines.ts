/**
 * What is to end at its deadline, unless it is over before. A call costs an entry in a map here, and no timer: all that
 * have the same time share one, which looks after the first of them when its time has come, and then sleeps on.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** All that have the same time, in the order of their deadlines. */
type Lane<T> = Map<T, number>

export class Deadlines<T> {
  readonly #clock: Clock.Clock
  readonly #fork: (effect: Effect.Effect<void>) => void
  readonly #expire: (item: T) => void
  readonly #lanes: Map<number, Lane<T>> = new Map()

  /** `fork` runs an effect in the background, until whoever made this is closed. */
  constructor(clock: Clock.Clock, fork: (effect: Effect.Effect<void>) => void, expire: (item: T) => void) {
    this.#clock = clock
    this.#fork = fork
    this.#expire = expire
  }

  /** What has a deadline and is not over. */
  get size(): number {
    let size = 0
    for (const lane of this.#lanes.values()) size += lane.size
    return size
  }

  add(item: T, millis: number): void {
    const known = this.#lanes.get(millis)
    const deadline = this.#now() + millis
    if (known !== undefined) {
      known.set(item, deadline)
      return
    }
    const lane: Lane<T> = new Map([[item, deadline]])
    this.#lanes.set(millis, lane)
    this.#fork(this.#watch(lane, millis))
  }

  remove(item: T, millis: number): void {
    this.#lanes.get(millis)?.delete(item)
  }

  /** Of a clock that nobody sets. */
  #now(): number {
    return Number(this.#clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  #watch(lane: Lane<T>, millis: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const now = this.#now()
      for (const [item, deadline] of lane) {
        if (deadline > now) return Effect.andThen(Effect.sleep(Math.ceil(deadline - now)), this.#watch(lane, millis))
        lane.delete(item)
        this.#expire(item)
      }
      this.#lanes.delete(millis)
      return Effect.void
    })
  }
}
