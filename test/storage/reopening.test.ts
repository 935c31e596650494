/** What calls get whose store is closed under them: pools interrupt who waits for them. */
import { expect, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer } from "effect"
import { LogStore } from "../../src/storage/LogStore.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Reopening from "../../src/storage/Reopening.ts"
import type { StoreServices } from "../../src/storage/Stores.ts"
import { draft, ownNode } from "../../src/testing/storage/fixtures.ts"

const log = { topic: "t", origin: ownNode }
const page = { rows: 10, bytes: 1000 }

/** A store that answers nobody until it is closed, and the same again, which does. */
const closedUnder = Effect.gen(function* () {
  const disk = Memory.makeDisk()
  const stop = yield* Deferred.make<string>()
  const open = (again: boolean): Layer.Layer<StoreServices, never> => {
    const stores = Layer.orDie(Memory.layer({ disk, node: ownNode }))
    if (again) return stores
    return Layer.provideMerge(
      Layer.effect(
        LogStore,
        Effect.gen(function* () {
          const store = yield* LogStore
          const closed = yield* Deferred.make<void>()
          yield* Effect.addFinalizer(() => Deferred.succeed(closed, undefined))
          const cutOff = Effect.andThen(Deferred.await(closed), Effect.interrupt)
          return { ...store, stopped: Deferred.await(stop), append: () => cutOff, readLog: () => cutOff }
        }),
      ),
      stores,
    )
  }
  const services = yield* Layer.build(Reopening.layer(open))
  return { store: Context.get(services, LogStore), stop: Deferred.succeed(stop, "no reason") }
})

it.live("a read is made again by the store that comes", () =>
  Effect.gen(function* () {
    const { stop, store } = yield* closedUnder
    const reading = yield* Effect.forkChild(store.readLog(log, 1, page), { startImmediately: true })
    yield* stop
    expect(yield* Fiber.join(reading)).toEqual([])
  }).pipe(Effect.scoped),
)

it.live("a write has an outcome that nobody knows", () =>
  Effect.gen(function* () {
    const { stop, store } = yield* closedUnder
    const writing = yield* Effect.forkChild(store.append([[draft("t", "1")]]), { startImmediately: true })
    yield* stop
    expect(yield* Effect.flip(Fiber.join(writing))).toMatchObject({ _tag: "OutcomeUnknown", operation: "append" })
  }).pipe(Effect.scoped),
)

it.live("who is interrupted himself waits for nothing", () =>
  Effect.gen(function* () {
    const { store } = yield* closedUnder
    const reading = yield* Effect.forkChild(store.readLog(log, 1, page), { startImmediately: true })
    yield* Fiber.interrupt(reading)
    const exit = yield* Fiber.await(reading)
    expect(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)).toBe(true)
  }).pipe(Effect.scoped),
)
