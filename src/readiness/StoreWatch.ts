/**
 * Watches the writes of a store from outside: which are under way, and whether the last one succeeded. A write is a
 * whole commit, so this costs nothing that counts for each message.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type { OutcomeUnknown, StorageFailed } from "../domain/errors.ts"
import { failureOf } from "../storage/parts/failure.ts"
import { fromContext, type StoreServices, toContext } from "../storage/Stores.ts"
import type { Trouble } from "./verdict.ts"

export class StoreWatch extends Context.Service<
  StoreWatch,
  {
    /** When the oldest write that is under way went to the store: milliseconds of the monotonic clock. */
    readonly writingSince: () => number | undefined
    /** The last write that failed, where none has succeeded since. */
    readonly failedWrite: () => Trouble | undefined
  }
>()("millrace/readiness/StoreWatch") {}

/** Milliseconds of a clock that never goes back. */
export const monotonicMillis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe() / 1000n) / 1000

interface Write {
  readonly since: number
}

/** Only these are the store's own failures; others are answers. */
const isStoreFailure = (error: unknown): error is StorageFailed | OutcomeUnknown =>
  typeof error === "object" &&
  error !== null &&
  "_tag" in error &&
  (error._tag === "StorageFailed" || error._tag === "OutcomeUnknown")

/** The same stores as a layer provides, watched. */
export const watched = <A, E, R>(
  stores: Layer.Layer<A | StoreServices, E, R>,
): Layer.Layer<A | StoreServices | StoreWatch, E, R> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const context = yield* Layer.build(stores)
      const clock = yield* Clock.Clock
      const underWay = new Set<Write>()
      let failed: Trouble | undefined

      const watch = <Args extends ReadonlyArray<unknown>, B, F>(write: (...args: Args) => Effect.Effect<B, F>) => {
        return (...args: Args): Effect.Effect<B, F> =>
          Effect.suspend(() => {
            const entry: Write = { since: monotonicMillis(clock) }
            underWay.add(entry)
            return Effect.onExit(write(...args), (exit) => Effect.sync(() => settle(entry, exit)))
          })
      }

      const settle = (entry: Write, exit: Exit.Exit<unknown, unknown>): void => {
        underWay.delete(entry)
        if (Exit.isSuccess(exit)) {
          failed = undefined
          return
        }
        const error = failureOf(exit.cause, "write")
        if (isStoreFailure(error))
          failed = { error: `the last commit failed: ${error.message}`, since: monotonicMillis(clock) }
      }

      const { cursors, holders, logs, queues, records } = fromContext(context)
      const watchedStores = toContext({
        logs: {
          ...logs,
          append: watch(logs.append),
          accept: watch(logs.accept),
          tombstone: watch(logs.tombstone),
          discard: watch(logs.discard),
        },
        queues: { ...queues, apply: watch(queues.apply) },
        cursors: {
          ...cursors,
          claim: watch(cursors.claim),
          move: watch(cursors.move),
          reset: watch(cursors.reset),
          delete: watch(cursors.delete),
        },
        records: { ...records, write: watch(records.write) },
        holders,
      })
      return Context.merge(context, watchedStores).pipe(
        Context.add(StoreWatch, {
          writingSince: () => {
            // The oldest comes first.
            for (const { since } of underWay) return since
            return undefined
          },
          failedWrite: () => failed,
        }),
      )
    }),
  )
