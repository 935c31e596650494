/**
 * A line in the log whenever a node stops being ready for a reason that is not its owner's, and when it is ready again.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Readiness, type ReadinessState } from "../readiness/index.ts"

/** Watches while the scope is open. */
export const watch: Effect.Effect<void, never, Readiness | Scope.Scope> = Effect.gen(function* () {
  const { changes, known } = yield* Readiness
  let before = known()
  yield* changes.pipe(
    Stream.runForEach((state) => {
      const line = lineOf(before, state)
      before = state
      return line
    }),
    Effect.forkScoped,
  )
})

const lineOf = (before: ReadinessState, { error, ready, since }: ReadinessState): Effect.Effect<void> => {
  if (ready === before.ready && error === before.error) return Effect.void
  if (!ready) {
    return Effect.logWarning(`not ready: ${error}`).pipe(Effect.annotateLogs({ since: new Date(since).toISOString() }))
  }
  return Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.logInfo("ready again").pipe(
      Effect.annotateLogs({ after: `${((now - before.since) / 1000).toFixed(1)} s`, reason: before.error }),
    ),
  )
}
