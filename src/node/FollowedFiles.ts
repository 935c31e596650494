/**
 * Files that may change while a node runs: they are looked at when one of them does, and on SIGHUP.
 */
import { unwatchFile, watchFile } from "node:fs"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

/** How often a file is looked at. Looking finds what notices miss: links that are put elsewhere, shared file systems. */
const lookEveryMillis = 1000

/** Runs `look` whenever there may be something new, and once at first: for what has changed since the files were read. */
export const follow = (
  paths: ReadonlyArray<string>,
  look: Effect.Effect<void>,
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const reasons = yield* Queue.sliding<void>(1)
    const wake = (): void => void Queue.offerUnsafe(reasons, undefined)
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        process.on("SIGHUP", wake)
        for (const path of paths) watchFile(path, { interval: lookEveryMillis, persistent: false }, wake)
      }),
      () =>
        Effect.sync(() => {
          process.off("SIGHUP", wake)
          for (const path of paths) unwatchFile(path, wake)
        }),
    )
    yield* Queue.take(reasons).pipe(Effect.andThen(look), Effect.forever, Effect.forkScoped)
    wake()
  })
