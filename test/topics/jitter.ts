/**
 * A storage that takes its time: every operation gives way to other fibers for a while, before and after. What a
 * worker thread or a server does by its nature, here by a seed, so that a failing order of events comes again.
 */
import { Effect, Layer } from "effect"
import { LogStore } from "../../src/storage/LogStore.ts"
import { makeRandom } from "../support/random.ts"

export const jittered = <A, E, R>(
  store: Layer.Layer<A | LogStore, E, R>,
  seed: number,
): Layer.Layer<A | LogStore, E, R> =>
  Layer.effect(
    LogStore,
    LogStore.useSync((right) => {
      const random = makeRandom(seed)
      const wait = Effect.suspend(() =>
        Effect.forEach(Array.from({ length: Math.floor(random() * 6) }), () => Effect.yieldNow, { discard: true }),
      )
      const slowly = <A, E>(effect: Effect.Effect<A, E>) =>
        Effect.flatMap(wait, () => Effect.flatMap(effect, (result) => Effect.as(wait, result)))
      // Writes take effect in the order in which they were made: only their answers are late.
      const late = <A, E>(effect: Effect.Effect<A, E>) => Effect.flatMap(effect, (result) => Effect.as(wait, result))
      return LogStore.of({
        ...right,
        append: (requests) => late(right.append(requests)),
        accept: (log, messages) => late(right.accept(log, messages)),
        tombstone: (request) => late(right.tombstone(request)),
        readLog: (log, from, limit) => slowly(right.readLog(log, from, limit)),
        readJournal: (after, filter, limit) => slowly(right.readJournal(after, filter, limit)),
        head: (log) => slowly(right.head(log)),
        heads: slowly(right.heads),
      })
    }),
  ).pipe(Layer.provideMerge(store))
