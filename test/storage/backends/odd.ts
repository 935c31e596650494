/**
 * A backend for tests of the worker layer: a store in memory that does odd things when it is told to, by the topic of
 * the first draft. Its reader says of itself that its end is 1,000,000.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { LogStore } from "../../../src/storage/LogStore.ts"
import { layer as memory } from "../../../src/storage/memory/index.ts"

type Store = LogStore["Service"]

const odd = (change: (store: Store) => Partial<Store>) =>
  Layer.effect(
    LogStore,
    Effect.map(LogStore, (store) => ({ ...store, ...change(store) })),
  ).pipe(Layer.provideMerge(memory()))

/** Holds up the thread. */
const block = (millis: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, millis)
}

export const layer = () =>
  odd((store) => ({
    append: (requests) =>
      Effect.suspend(() => {
        switch (requests[0]?.[0]?.topic) {
          case "exit":
            process.exit(7)
            break
          case "throw":
            setImmediate(() => {
              throw new Error("planted")
            })
            return Effect.never
          case "die":
            return Effect.die(new Error("planted defect"))
          case "never":
            return Effect.never
          case "block":
            block(500)
        }
        return store.append(requests)
      }),
    readLog: (log, from, limit) => (log.topic === "never" ? Effect.never : store.readLog(log, from, limit)),
  }))

export const layerReader = () => odd(() => ({ end: Effect.succeed(1_000_000) }))
