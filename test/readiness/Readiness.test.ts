/**
 * Readiness over a store that does what the test says, on a clock of the test.
 */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { StorageFailed } from "../../src/domain/errors.ts"
import * as Readiness from "../../src/readiness/index.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import { layer as memory } from "../../src/storage/memory/index.ts"

/** What stands in the way of the store's calls; each waits for it, and fails with its message if it has one. */
interface Obstacle {
  readonly gone: Deferred.Deferred<void, StorageFailed>
}

/** A store whose writes and checks can be held up, one kind at a time. */
class Trouble {
  writing: Obstacle | undefined
  checking: Obstacle | undefined

  readonly layer = Layer.effect(
    LogStore,
    Effect.map(LogStore, (store): LogStore["Service"] => ({
      ...store,
      append: (requests) =>
        Effect.andThen(
          Effect.suspend(() => this.pass(this.writing)),
          store.append(requests),
        ),
      check: Effect.andThen(
        Effect.suspend(() => this.pass(this.checking)),
        store.check,
      ),
    })),
  ).pipe(Layer.provideMerge(memory()))

  private pass(obstacle: Obstacle | undefined): Effect.Effect<void, StorageFailed> {
    return obstacle === undefined ? Effect.void : Deferred.await(obstacle.gone)
  }
}

const obstacle = (): Obstacle => ({ gone: Deferred.makeUnsafe() })
const failing = (message: string): Obstacle => {
  const made = obstacle()
  Deferred.doneUnsafe(made.gone, Exit.fail(new StorageFailed({ operation: "write", message })))
  return made
}

const draft = { topic: "t", id: crypto.randomUUID(), createdAt: 0, headers: {}, payload: new Uint8Array(1) }
const write = Effect.flatMap(LogStore, (store) => store.append([[draft]]))

/** How it stands after a time, as whoever asks is told. */
const after = (millis: number) =>
  Effect.gen(function* () {
    yield* TestClock.adjust(millis)
    const readiness = yield* Readiness.Readiness
    const asked = yield* Effect.forkChild(readiness.current, { startImmediately: true })
    // A store that does not answer is not waited for long.
    yield* TestClock.adjust(500)
    return yield* Fiber.join(asked)
  })

const ready = expect.objectContaining({ ready: true, status: "READY", error: "" })
const notReady = (error: string, since?: number) =>
  expect.objectContaining({ ready: false, status: "NOT_READY", error, ...(since === undefined ? {} : { since }) })

const itHolds = (
  name: string,
  test: (trouble: Trouble) => Effect.Effect<void, unknown, Readiness.Readiness | LogStore>,
) =>
  it.effect(name, () => {
    const trouble = new Trouble()
    const layer = Readiness.layer.pipe(Layer.provideMerge(Readiness.watched(trouble.layer)))
    return Effect.orDie(Effect.provide(test(trouble), layer))
  })

describe("a node is ready", () => {
  itHolds("while its store is well", () =>
    Effect.gen(function* () {
      expect(yield* after(0)).toEqual(ready)
      yield* write
      expect(yield* after(60_000)).toEqual(ready)
    }),
  )

  itHolds("again when a commit that took too long is done; it was not meanwhile", (trouble) =>
    Effect.gen(function* () {
      yield* TestClock.adjust(10_000)
      const disk = (trouble.writing = obstacle())
      const writing = yield* Effect.forkChild(write, { startImmediately: true })
      expect(yield* after(4000)).toEqual(ready)
      expect(yield* after(1000)).toEqual(notReady("a commit has been under way for more than 5 s", 10_000))
      expect(yield* after(60_000)).toEqual(notReady("a commit has been under way for more than 5 s", 10_000))
      Deferred.doneUnsafe(disk.gone, Effect.void)
      yield* Fiber.join(writing)
      expect(yield* after(0)).toEqual(ready)
    }),
  )

  itHolds("whatever there is to remark beside that, by whoever is still there", () =>
    Effect.gen(function* () {
      const { remark, remarks } = yield* Readiness.Readiness
      expect(yield* remarks).toEqual([])
      let said = ["peer a fails"]
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* remark(Effect.sync(() => said))
          yield* remark(Effect.succeed(["b", "c"]))
          expect(yield* remarks).toEqual(["peer a fails", "b", "c"])
          expect(yield* after(0)).toEqual(ready)
          said = []
          expect(yield* remarks).toEqual(["b", "c"])
        }),
      )
      expect(yield* remarks).toEqual([])
    }),
  )

  itHolds("not while one commit hangs, although others come and go", (trouble) =>
    Effect.gen(function* () {
      trouble.writing = obstacle()
      yield* Effect.forkChild(write, { startImmediately: true })
      trouble.writing = undefined
      for (let i = 0; i < 10; i++) {
        yield* TestClock.adjust(1000)
        yield* write
      }
      // One that has only just begun does not hide it either.
      trouble.writing = obstacle()
      yield* Effect.forkChild(write, { startImmediately: true })
      expect(yield* after(0)).toEqual(notReady("a commit has been under way for more than 5 s"))
    }),
  )

  itHolds("again when the store answers; it was not while it did not", (trouble) =>
    Effect.gen(function* () {
      yield* TestClock.adjust(500)
      const thread = (trouble.checking = obstacle())
      yield* TestClock.adjust(500)
      expect(yield* after(3000)).toEqual(ready)
      expect(yield* after(2000)).toEqual(notReady("the store has not answered for more than 5 s", 1000))
      Deferred.doneUnsafe(thread.gone, Effect.void)
      expect(yield* after(0)).toEqual(ready)
    }),
  )

  itHolds("not while the store refuses, whose word is passed on at once", (trouble) =>
    Effect.gen(function* () {
      yield* TestClock.adjust(10_250)
      trouble.checking = failing("the store stopped writing")
      expect(yield* after(0)).toEqual(notReady("the store stopped writing", 10_250))
      expect(yield* after(60_000)).toEqual(notReady("the store stopped writing", 10_250))
      trouble.checking = undefined
      expect(yield* after(0)).toEqual(ready)
    }),
  )

  itHolds("again when a write succeeds after one that failed", (trouble) =>
    Effect.gen(function* () {
      trouble.writing = failing("the disk is full")
      yield* Effect.exit(write)
      expect(yield* after(0)).toEqual(notReady("the last commit failed: the disk is full", 0))
      trouble.writing = undefined
      yield* write
      expect(yield* after(0)).toEqual(ready)
    }),
  )

  itHolds("again when the store was well for a while after a failed write, should nobody write", (trouble) =>
    Effect.gen(function* () {
      trouble.writing = failing("the disk is full")
      yield* Effect.exit(write)
      expect(yield* after(4000)).toEqual(notReady("the last commit failed: the disk is full", 0))
      expect(yield* after(1000)).toEqual(ready)
    }),
  )

  itHolds("not while its owner says otherwise", () =>
    Effect.gen(function* () {
      const readiness = yield* Readiness.Readiness
      yield* readiness.hold("stopping")
      expect(yield* after(0)).toEqual(notReady("stopping", 0))
      const exit = yield* Effect.exit(readiness.check)
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({
        _tag: "Unavailable",
        message: "stopping",
      })
      yield* readiness.hold(undefined)
      expect(yield* after(0)).toEqual(ready)
      yield* readiness.check
    }),
  )
})

describe("whoever watches", () => {
  itHolds("is told of each change once, without asking", (trouble) =>
    Effect.gen(function* () {
      const readiness = yield* Readiness.Readiness
      const seen: Array<string> = []
      yield* Effect.forkChild(
        Stream.runForEach(readiness.changes, ({ error }) => Effect.sync(() => seen.push(error))),
        { startImmediately: true },
      )
      yield* TestClock.adjust(10_000)
      const disk = (trouble.writing = obstacle())
      const writing = yield* Effect.forkChild(write, { startImmediately: true })
      yield* TestClock.adjust(20_000)
      Deferred.doneUnsafe(disk.gone, Effect.void)
      yield* Fiber.join(writing)
      yield* TestClock.adjust(20_000)
      expect(seen).toEqual(["", "a commit has been under way for more than 5 s", ""])
    }),
  )
})
