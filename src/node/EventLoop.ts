/**
 * How late the event loop is, over a while that depends on nobody who asks: the last ten to twenty seconds. Two
 * histograms take turns in beginning anew; the older one is read.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** How often the event loop is looked at: its delay is what a look comes later than that. */
const resolutionMillis = 10
const turnMillis = 10_000

export interface EventLoop {
  /** Seconds; `fraction` from 0 to 1, where 1 is the longest. 0 where nothing was late. */
  readonly delaySeconds: (fraction: number) => number
}

const enabled = Effect.acquireRelease(
  Effect.sync(() => {
    const histogram = monitorEventLoopDelay({ resolution: resolutionMillis })
    histogram.enable()
    return histogram
  }),
  (histogram) => Effect.sync(() => histogram.disable()),
)

const delayOf = (histogram: ReturnType<typeof monitorEventLoopDelay>, fraction: number): number => {
  if (histogram.count === 0) return 0
  const lookNanos = fraction === 1 ? histogram.max : histogram.percentile(fraction * 100)
  return Math.max(0, lookNanos / 1e6 - resolutionMillis) / 1000
}

/** Watches the event loop while the scope is open. */
export const make: Effect.Effect<EventLoop, never, Scope.Scope> = Effect.gen(function* () {
  let older = yield* enabled
  let newer = yield* enabled
  yield* Effect.sync(() => {
    older.reset()
    ;[older, newer] = [newer, older]
  }).pipe(Effect.delay(turnMillis), Effect.forever, Effect.forkScoped)
  return { delaySeconds: (fraction) => delayOf(older, fraction) }
})
