/** Stores in threads: order, death, interruption, closing. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Context from "effect/Context"
import * as Scope from "effect/Scope"
import { vi } from "vitest"
import { OffsetConflict, OffsetGap, StoreUnusable } from "../../src/domain/errors.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import { layer, preload } from "../../src/storage/worker/index.ts"
import { storageSuite } from "../../src/testing/storageSuite.ts"
import { draft, otherNode, ownNode, replica, unlimited } from "../../src/testing/storage/fixtures.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

// Every test starts threads, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000 })

const memory = new URL("../../src/storage/memory/index.ts", import.meta.url)
const odd = new URL("backends/odd.ts", import.meta.url)

storageSuite("memory in a worker", {
  programs: 4,
  keepsData: false,
  makePlace: Effect.succeed({ open: (options) => layer({ module: memory, options }) }),
})

const withOdd = <A, E>(use: (store: LogStore["Service"]) => Effect.Effect<A, E>, readers = 0) =>
  Effect.provide(Effect.flatMap(LogStore, use), layer({ module: odd, options: undefined, readers }))

const log = { topic: "t", origin: ownNode }

describe("a store in a thread", () => {
  it.live("passes errors on as themselves", () =>
    withOdd((store) =>
      Effect.gen(function* () {
        const gap = yield* Effect.flip(store.accept({ topic: "t", origin: otherNode }, [replica(2, "two")]))
        expect(gap).toBeInstanceOf(OffsetGap)
        expect(gap).toMatchObject({ expected: 1, received: 2, message: expect.stringContaining("goes on at offset 1") })
        yield* store.accept({ topic: "t", origin: otherNode }, [replica(1, "one")])
        const conflict = yield* Effect.flip(store.accept({ topic: "t", origin: otherNode }, [replica(1, "other")]))
        expect(conflict).toBeInstanceOf(OffsetConflict)
      }),
    ),
  )

  it.live("passes a defect on as a defect, and goes on", () =>
    withOdd((store) =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(store.append([[draft("die", "")]]))
        expect(Exit.hasDies(exit)).toBe(true)
        expect((yield* store.append([[draft("t", "1")]])).offsets).toEqual([1])
      }),
    ),
  )

  for (const how of ["exit", "throw"]) {
    it.live(`whose thread ends (${how}), fails reads, leaves writes unknown and takes no more calls`, () =>
      withOdd((store) =>
        Effect.gen(function* () {
          const read = yield* Effect.forkChild(Effect.flip(store.readLog({ ...log, topic: "never" }, 1, unlimited)), {
            startImmediately: true,
          })
          const other = yield* Effect.forkChild(Effect.flip(store.append([[draft("never", "")]])), {
            startImmediately: true,
          })
          const error = yield* Effect.flip(store.append([[draft(how, "")]]))
          expect(error).toMatchObject({ _tag: "OutcomeUnknown", operation: "append" })
          expect(yield* Fiber.join(read)).toMatchObject({ _tag: "StorageFailed", operation: "readLog" })
          expect(yield* Fiber.join(other)).toMatchObject({ _tag: "OutcomeUnknown" })
          expect(yield* Effect.flip(store.append([[draft("t", "")]]))).toMatchObject({ _tag: "StorageFailed" })
          expect(yield* Effect.flip(store.end)).toMatchObject({ _tag: "StorageFailed", operation: "end" })
          expect(yield* Effect.flip(store.check)).toMatchObject({ _tag: "StorageFailed", operation: "check" })
        }),
      ),
    )
  }

  it.live("is not disturbed by callers that are interrupted", () =>
    withOdd((store) =>
      Effect.gen(function* () {
        const waiting = yield* Effect.forkChild(store.append([[draft("never", "")]]), { startImmediately: true })
        yield* Fiber.interrupt(waiting)
        const interrupted = yield* Effect.forkChild(store.append([[draft("t", "1")]]), { startImmediately: true })
        yield* Fiber.interrupt(interrupted)
        // Interrupted after it was on its way: it has happened, and what follows is numbered after it.
        expect((yield* store.append([[draft("t", "2")]])).offsets).toEqual([2])
        expect((yield* store.readLog({ ...log, origin: store.info.node }, 1, unlimited)).length).toBe(2)
      }),
    ),
  )

  it.live("reads beside a write that holds up its thread", () =>
    withOdd(
      (store) =>
        Effect.gen(function* () {
          // The reader opens after the store: its answers show when it is there.
          yield* Effect.repeat(store.end, { until: (end) => end === 1_000_000 })
          const order: Array<string> = []
          const note = (what: string) => () => Effect.sync(() => order.push(what))
          yield* Effect.all(
            [Effect.tap(store.append([[draft("block", "")]]), note("append")), Effect.tap(store.end, note("read"))],
            { concurrency: "unbounded" },
          )
          expect(order).toEqual(["read", "append"])
        }),
      1,
    ),
  )

  it.live("finishes what is under way before it closes, and takes no calls afterwards", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(layer({ module: odd, options: undefined }), scope)
      const store = Context.get(context, LogStore)
      const append = yield* Effect.forkChild(store.append([[draft("block", "")]]), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      expect((yield* Fiber.join(append)).offsets).toEqual([1])
      expect(yield* Effect.flip(store.append([[draft("t", "")]]))).toMatchObject({
        _tag: "StorageFailed",
        message: "the store is closed",
      })
    }),
  )

  it.live("whose backend cannot be loaded is not available", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const broken = join(directory, "broken.mjs")
      writeFileSync(broken, "throw new Error('planted')")
      for (const module of [pathToFileURL(broken), pathToFileURL(join(directory, "missing.mjs"))]) {
        const error = yield* Effect.flip(Effect.provide(LogStore, layer({ module, options: undefined })))
        expect(error).toBeInstanceOf(StoreUnusable)
        expect(error.reason).toBe("not available")
      }
    }),
  )

  it.live("takes the thread that was started ahead of time, once", () =>
    Effect.gen(function* () {
      preload(odd)
      for (let i = 0; i < 2; i++) {
        const { offsets } = yield* withOdd((store) => store.append([[draft("t", "1")]]))
        expect(offsets).toEqual([1])
      }
    }),
  )
})
