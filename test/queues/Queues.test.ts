/** Work queues in a process: what each operation does, and what a taker does with failures, interruption and time. */
import { join } from "node:path"
import { describe, expect, it, vi } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Option, Queue, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { deadQueueOf } from "../../src/domain/QueueItem.ts"
import { GrpcServer, layerQueues } from "../../src/protocol/grpc/index.ts"
import * as Queues from "../../src/queues/index.ts"
import { layer as memory } from "../../src/storage/memory/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import { layerNode } from "../protocol/grpc/TestNode.ts"
import { temporaryDirectory } from "../storage/temporaryDirectory.ts"

const inMemory = Queues.layer.pipe(Layer.provide(memory()))
/** The queues of a node, as a client sees them. */
const remote = Layer.unwrap(
  Effect.map(Layer.build(layerNode()), (services) => layerQueues({ url: Context.get(services, GrpcServer).url })),
)
const text = (item: { readonly payload: Uint8Array }): string => Buffer.from(item.payload).toString()

/** The queue's items as text, the front first. */
const contents = (queue: string) =>
  Effect.gen(function* () {
    const queues = yield* Queues.Queues
    return (yield* queues.items(queue)).map(text)
  })

/** Takes the queue in the background and gives what the handler is called with, one call after the other. */
const taking = (
  queue: string,
  handle: (work: string) => Effect.Effect<unknown, unknown>,
  options?: Queues.TakeOptions,
) =>
  Effect.gen(function* () {
    const queues = yield* Queues.Queues
    const calls = yield* Queue.unbounded<string>()
    const handler = (item: { readonly payload: Uint8Array; readonly attempts: number }) =>
      Effect.andThen(Queue.offer(calls, `${text(item)} ${item.attempts}`), handle(text(item)))
    const fiber = yield* Effect.forkChild(queues.take(queue, handler, options), { startImmediately: true })
    return { fiber, next: Queue.take(calls), count: Queue.size(calls) }
  })

// Files and threads on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

describe.each([
  ["in memory", Effect.succeed(inMemory)],
  [
    "in a SQLite file",
    Effect.map(temporaryDirectory, (directory) =>
      Queues.layer.pipe(Layer.provide(Sqlite.layer({ path: join(directory, "queues.db") }))),
    ),
  ],
  ["of a node elsewhere", Effect.succeed(remote)],
])("a queue %s", (_, makeLayer) => {
  const test = (name: string, body: () => Effect.Effect<unknown, unknown, Queues.Queues>) =>
    it.live(name, () => Effect.scoped(Effect.flatMap(makeLayer, (layer) => Effect.provide(body(), layer))), 20_000)

  test("gives items back in order, and lets go of the front alone", () =>
    Effect.gen(function* () {
      const queues = yield* Queues.Queues
      const first = yield* queues.enqueue("mail", "one", { topic: "letters", headers: { to: "Ada" } })
      const second = yield* queues.enqueue("mail", new Uint8Array([50]))
      expect([first.sequence, second.sequence, second.topic]).toEqual([1, 2, "mail"])
      expect(Option.getOrThrow(yield* queues.peek("mail"))).toEqual({ ...first, payload: expect.anything() })
      expect(yield* queues.ack("mail", second.id)).toBe(false)
      expect(yield* queues.reject("mail", first.id)).toEqual({ accepted: true, attempts: 1, isDead: false })
      expect(yield* queues.ack("mail", first.id)).toBe(true)
      expect(yield* queues.ack("mail", first.id)).toBe(false)
      expect(yield* contents("mail")).toEqual(["2"])
      expect(yield* queues.ack("mail", second.id)).toBe(true)
      expect(yield* queues.peek("mail")).toEqual(Option.none())
      expect(yield* queues.queues).toMatchObject([{ queue: "mail", depth: 0, lastSequence: 2 }])
    }))

  test("keeps the order of many who enqueue at once, and commits them together", () =>
    Effect.gen(function* () {
      const queues = yield* Queues.Queues
      const items = yield* Effect.forEach(
        Array.from({ length: 500 }, (_, i) => `${i}`),
        (payload) => queues.enqueue("jobs", payload),
        { concurrency: "unbounded" },
      )
      expect(items.map(({ sequence }) => sequence)).toEqual(items.map((_, i) => i + 1))
      expect((yield* queues.items("jobs", { limit: 1000 })).map(text)).toEqual(items.map((_, i) => `${i}`))
    }))

  test("puts what failed too often aside, and takes it back when told to", () =>
    Effect.gen(function* () {
      const queues = yield* Queues.Queues
      const poison = yield* queues.enqueue("jobs", "poison")
      yield* queues.enqueue("jobs", "good")
      const rejected = yield* queues.reject("jobs", poison.id, { attemptsMax: 1, reason: "no" })
      expect(rejected).toEqual({ accepted: true, attempts: 1, isDead: true })
      const [dead] = yield* queues.items(deadQueueOf("jobs"))
      expect(dead).toMatchObject({ id: poison.id, death: { sequence: 1, attempts: 1, reason: "no" } })
      expect(yield* queues.redrive("jobs")).toBe(1)
      expect(yield* queues.redrive("jobs")).toBe(0)
      expect(yield* contents("jobs")).toEqual(["good", "poison"])
    }))
})

describe("takers that are interrupted and followed by others", () => {
  const count = 2000
  const lives = [1, 250, 700, count - 951]

  /** Takes until it has done so many items, and is then cut off in the middle of one. */
  const takeSome = (items: number, seen: Array<number>) =>
    Effect.gen(function* () {
      const queues = yield* Queues.Queues
      const enough = yield* Deferred.make<void>()
      let left = items
      const handler = (item: { readonly payload: Uint8Array }) =>
        Effect.suspend(() => {
          if (left-- === 0) return Effect.andThen(Deferred.succeed(enough, undefined), Effect.never)
          seen.push(Number(text(item)))
          return Effect.void
        })
      yield* Effect.raceFirst(queues.take("jobs", handler), Deferred.await(enough))
    })

  const enqueueAll = Effect.gen(function* () {
    const queues = yield* Queues.Queues
    const payloads = Array.from({ length: count + 1 }, (_, i) => `${i + 1}`)
    yield* Effect.forEach(payloads, (payload) => queues.enqueue("jobs", payload), {
      concurrency: "unbounded",
      discard: true,
    })
  })

  const everyItemOnce = Array.from({ length: count }, (_, i) => i + 1)
  const makeLayer = Effect.map(temporaryDirectory, (directory) =>
    Queues.layer.pipe(Layer.provide(Sqlite.layer({ path: join(directory, "queues.db") }))),
  )

  it.live("do every item once and in order, one after the other in one app", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const app = Effect.gen(function* () {
        yield* enqueueAll
        for (const items of lives) yield* takeSome(items, seen)
      })
      yield* Effect.provide(app, yield* makeLayer)
      expect(seen).toEqual(everyItemOnce)
    }).pipe(Effect.scoped),
  )

  it.live("do every item once and in order, where the app closes each time", () =>
    Effect.gen(function* () {
      const layer = Layer.fresh(yield* makeLayer)
      const seen: Array<number> = []
      yield* Effect.provide(enqueueAll, layer)
      for (const items of lives) yield* Effect.provide(takeSome(items, seen), layer)
      expect(seen).toEqual(everyItemOnce)
    }).pipe(Effect.scoped),
  )
})

describe("a taker", () => {
  const test = (name: string, body: () => Effect.Effect<unknown, unknown, Queues.Queues>) =>
    it.effect(name, () => Effect.provide(body(), inMemory))

  test("does what is there and what comes, in order, and acknowledges each", () =>
    Effect.gen(function* () {
      const queues = yield* Queues.Queues
      yield* queues.enqueue("jobs", "a")
      yield* queues.enqueue("jobs", "b")
      const taker = yield* taking("jobs", () => Effect.void)
      expect([yield* taker.next, yield* taker.next]).toEqual(["a 0", "b 0"])
      yield* queues.enqueue("jobs", "c")
      expect(yield* taker.next).toBe("c 0")
      yield* Fiber.interrupt(taker.fiber)
    }))

  test("tries a failed item again after a while, twice as long each time, and lets nothing overtake it", () =>
    Effect.gen(function* () {
      const queues = yield* Queues.Queues
      yield* queues.enqueue("jobs", "bad")
      yield* queues.enqueue("jobs", "good")
      const taker = yield* taking("jobs", (work) => (work === "bad" ? Effect.fail("no") : Effect.void), {
        attemptsMax: 3,
      })
      expect(yield* taker.next).toBe("bad 0")
      yield* TestClock.adjust("99 millis")
      expect(yield* taker.count).toBe(0)
      yield* TestClock.adjust("1 millis")
      expect(yield* taker.next).toBe("bad 1")
      yield* TestClock.adjust("199 millis")
      expect(yield* taker.count).toBe(0)
      yield* TestClock.adjust("1 millis")
      expect([yield* taker.next, yield* taker.next]).toEqual(["bad 2", "good 0"])
      yield* Fiber.interrupt(taker.fiber)
      const [dead] = yield* queues.items(deadQueueOf("jobs"))
      expect(dead?.death).toMatchObject({ attempts: 3, reason: "no" })
    }))

  test("that lets everything die does not keep a redrive going for ever", () =>
    Effect.gen(function* () {
      const queues = yield* Queues.Queues
      // More than one commit takes back.
      const count = 2500
      for (let i = 0; i < count; i++) {
        const { id } = yield* queues.enqueue("jobs", "poison")
        yield* queues.reject("jobs", id, { attemptsMax: 1 })
      }
      const taker = yield* taking("jobs", () => Effect.fail("no"), { attemptsMax: 1 })
      expect(yield* queues.redrive("jobs")).toBe(count)
      yield* Fiber.interrupt(taker.fiber)
    }))

  test("of a dead queue gets what dies at once", () =>
    Effect.gen(function* () {
      const queues = yield* Queues.Queues
      const { id } = yield* queues.enqueue("jobs", "a")
      const taker = yield* taking(deadQueueOf("jobs"), () => Effect.void)
      yield* queues.reject("jobs", id, { attemptsMax: 1 })
      // No time passes: nothing is found by looking again.
      expect(yield* taker.next).toBe("a 0")
      yield* Fiber.interrupt(taker.fiber)
    }))

  test("leaves an item as it was when it is interrupted", () =>
    Effect.gen(function* () {
      const queues = yield* Queues.Queues
      yield* queues.enqueue("jobs", "a")
      const taker = yield* taking("jobs", () => Effect.never)
      yield* taker.next
      yield* Fiber.interrupt(taker.fiber)
      expect(Option.getOrThrow(yield* queues.peek("jobs"))).toMatchObject({ attempts: 0 })
    }))

  test("is the only one of its queue, and makes room when it ends", () =>
    Effect.gen(function* () {
      const queues = yield* Queues.Queues
      const taker = yield* taking("jobs", () => Effect.void)
      const refused = yield* Effect.flip(queues.take("jobs", () => Effect.void))
      expect(refused).toMatchObject({ _tag: "QueueTaken", queue: "jobs" })
      yield* Fiber.interrupt(taker.fiber)
      const next = yield* taking("jobs", () => Effect.void)
      yield* queues.enqueue("jobs", "a")
      expect(yield* next.next).toBe("a 0")
      yield* Fiber.interrupt(next.fiber)
    }))

  test("counts a handler that dies as failed, and goes on", () =>
    Effect.gen(function* () {
      const queues = yield* Queues.Queues
      yield* queues.enqueue("jobs", "a")
      const taker = yield* taking("jobs", () => Effect.die(new Error("a bug")), { attemptsMax: 1 })
      yield* taker.next
      yield* queues.enqueue("jobs", "b")
      expect(yield* taker.next).toBe("b 0")
      yield* Fiber.interrupt(taker.fiber)
      const [dead] = yield* queues.items(deadQueueOf("jobs"))
      expect(dead?.death).toMatchObject({ reason: "a bug" })
    }))
})

describe("a taker of a node elsewhere", () => {
  const test = (name: string, body: () => Effect.Effect<unknown, unknown, Queues.Queues>) =>
    it.live(name, () => Effect.provide(body(), remote), 20_000)

  test("does items in order, tries failed ones again, and puts them aside in the end", () =>
    Effect.gen(function* () {
      const queues = yield* Queues.Queues
      for (const work of ["a", "bad", "b"]) yield* queues.enqueue("jobs", work)
      const taker = yield* taking("jobs", (work) => (work === "bad" ? Effect.fail("no") : Effect.void), {
        attemptsMax: 2,
        backoff: () => "20 millis",
      })
      const calls = []
      for (let i = 0; i < 4; i++) calls.push(yield* taker.next)
      expect(calls).toEqual(["a 0", "bad 0", "bad 1", "b 0"])
      yield* queues.enqueue("jobs", "c")
      expect(yield* taker.next).toBe("c 0")
      yield* Fiber.interrupt(taker.fiber)
      const [dead] = yield* queues.items(deadQueueOf("jobs"))
      expect(dead?.death).toMatchObject({ attempts: 2, reason: "no" })
    }))

  test("is the only one, and makes room when it goes, with its item as it was", () =>
    Effect.gen(function* () {
      const queues = yield* Queues.Queues
      yield* queues.enqueue("jobs", "a")
      const first = yield* taking("jobs", () => Effect.never)
      yield* first.next
      expect(yield* Effect.flip(queues.take("jobs", () => Effect.void))).toMatchObject({
        _tag: "QueueTaken",
        queue: "jobs",
      })
      yield* Fiber.interrupt(first.fiber)
      // The node hears a moment later that the first is gone.
      const second = yield* Effect.retry(
        Effect.gen(function* () {
          const taker = yield* taking("jobs", () => Effect.never)
          return yield* Effect.raceFirst(taker.next, Effect.flatMap(Fiber.join(taker.fiber), Effect.fail))
        }),
        { times: 100, schedule: Schedule.spaced("20 millis") },
      )
      expect(second).toBe("a 0")
    }))
})

describe("bad input to a queue", () => {
  it.effect("is refused with a sentence, and nothing is stored", () =>
    Effect.gen(function* () {
      const queues = yield* Queues.Queues
      const long = "x".repeat(1020)
      const refusals = yield* Effect.forEach(
        [
          queues.enqueue("", "a"),
          queues.enqueue("a\0b", "a"),
          queues.enqueue(long, "a"),
          queues.enqueue("q", "a", { topic: " " }),
          queues.enqueue("q", "a", { topic: "$msgbus.delete" }),
          queues.enqueue("q", "a", { target: { tenant: "", line: "b", device: "c" } }),
          queues.enqueue("q", "a", { headers: { "": "x" } }),
          queues.enqueue("q", new Uint8Array(4 * 1024 * 1024)),
          queues.ack("q", ""),
          queues.reject("q", "id", { attemptsMax: 0 }),
          queues.redrive("q", 0),
          queues.items("q", { limit: 0 }),
          queues.take(" ", () => Effect.void),
        ] as ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string; readonly message: string }>>,
        (effect) => Effect.map(Effect.flip(effect), ({ _tag }) => _tag),
      )
      expect(refusals).toEqual([
        "InvalidArgument",
        "InvalidArgument",
        "InvalidArgument",
        "InvalidArgument",
        "NotPermitted",
        "InvalidArgument",
        "InvalidArgument",
        "MessageTooLarge",
        "InvalidArgument",
        "InvalidArgument",
        "InvalidArgument",
        "InvalidArgument",
        "InvalidArgument",
      ])
      expect(yield* queues.queues).toEqual([])
      const longest = yield* queues.enqueue(long.slice(1), "a")
      yield* queues.reject(long.slice(1), longest.id, { attemptsMax: 1 })
      expect(Option.isSome(yield* queues.peek(deadQueueOf(long.slice(1))))).toBe(true)
    }).pipe(Effect.provide(inMemory)),
  )
})

describe("callers that never pause, over a store that answers at once", () => {
  it.live("leave the event loop to others", () =>
    Effect.gen(function* () {
      const queues = yield* Queues.Queues
      const busy = Effect.forever(
        Effect.flatMap(queues.enqueue("jobs", "a"), ({ id }) => queues.ack("jobs", id)),
        { disableYield: true },
      )
      const fiber = yield* Effect.forkChild(busy)
      yield* Effect.sleep("50 millis")
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(inMemory)),
  )
})

describe("queues that close", () => {
  it.live("finish what was asked for, and take nothing more", () =>
    Effect.gen(function* () {
      const done = yield* Deferred.make<Exit.Exit<unknown, unknown>>()
      const queues = yield* Effect.provide(
        Effect.gen(function* () {
          const queues = yield* Queues.Queues
          const enqueuing = Effect.onExit(queues.enqueue("jobs", "a"), (exit) => Deferred.succeed(done, exit))
          yield* Effect.forkDetach(enqueuing, { startImmediately: true })
          return queues
        }),
        inMemory,
      )
      expect(Exit.isSuccess(yield* Deferred.await(done))).toBe(true)
      const late = yield* Effect.exit(queues.enqueue("jobs", "b"))
      expect(Exit.isFailure(late) && Option.getOrThrow(Cause.findErrorOption(late.cause))).toMatchObject({
        _tag: "Unavailable",
      })
    }),
  )
})
