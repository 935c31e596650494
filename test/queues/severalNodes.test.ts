/**
 * Queues of several nodes on one store: their laws, takers that compete, and who is told what. `LAW_RUNS` sets how many
 * programs each test runs.
 */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Option, Ref, References, Schedule, Scope } from "effect"
import type { QueueItem } from "../../src/domain/QueueItem.ts"
import type { Queues } from "../../src/queues/index.ts"
import { alone, Holders, isHold } from "../../src/storage/Holders.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Postgres from "../../src/storage/postgres/index.ts"
import * as QueueLaws from "../../src/testing/queueLaws.ts"
import { sharedServer, skipsPostgres } from "../support/postgresServer.ts"
import { makeRandom } from "../support/random.ts"
import { nodeNamed, threeNodes } from "../topics/sharedMemory.ts"
import { build, compete, inOrder, queuesOver, type Stores } from "./competing.ts"

const runs = Number(process.env["LAW_RUNS"] ?? 500)

type Service = Queues["Service"]

let seed = 0

describe("queues of several nodes keep the laws (I6)", () => {
  it.live(
    "in memory, with hints that are late, out of order or lost",
    () =>
      QueueLaws.fifo(
        () => {
          const [one, two, three] = threeNodes(++seed)
          return { layer: queuesOver(one, 3), others: [queuesOver(two, 3), queuesOver(three, 3)], reopens: true }
        },
        { runs: runs / 2, nodes: 3 },
      ),
    120_000,
  )
})

describe.skipIf(skipsPostgres)("queues of several nodes on one PostgreSQL", () => {
  const server = sharedServer()
  const three = (schema: string) =>
    ["one", "two", "three"].map((device) => Postgres.layer({ url: server().url(schema), node: nodeNamed(device) }))

  it.live(
    "keep the laws (I6)",
    () => {
      const [one, two] = three("laws")
      const world = { layer: queuesOver(one!, 100), others: [queuesOver(two!, 100)], reopens: true }
      return QueueLaws.fifo(world, { runs: runs / 50 })
    },
    120_000,
  )

  it.live(
    "are done by takers that compete, each item once, in order",
    () =>
      Effect.map(compete(makeRandom(1), three("competing")), ({ done }) => {
        expect(done).toEqual(inOrder)
      }),
    60_000,
  )

  it.live(
    "are done wholly and in order, though connections are cut and the server is restarted",
    () =>
      Effect.gen(function* () {
        const { start, stop, terminate } = server()
        // The nodes may be without connections for a moment.
        const cut = Effect.repeat(terminate(), { until: (count) => count > 0, schedule: Schedule.spaced("5 millis") })
        const { done } = yield* compete(makeRandom(2), three("rough"), (until) =>
          Effect.gen(function* () {
            yield* until(10)
            yield* cut
            yield* until(25)
            yield* stop
            yield* start
            yield* until(40)
            yield* cut
          }),
        )
        // What was under way may come again.
        expect([...new Set(done)]).toEqual(inOrder)
      }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
    60_000,
  )
})

/** A node that loses its holds again and again, and learns of it a while later. */
const outOfTouch = (stores: Stores, random: () => number): Stores =>
  Layer.provideMerge(
    Layer.effect(
      Holders,
      Holders.useSync((holders) =>
        Holders.of({
          ...holders,
          hold: Effect.fnUntraced(function* (held, takeOver) {
            const scope = yield* Effect.acquireRelease(Scope.make(), (made, exit) => Scope.close(made, exit))
            const hold = yield* Scope.provide(holders.hold(held, takeOver), scope)
            const waiting = Effect.suspend(() => Effect.sleep(5 * random()))
            const losing = Effect.andThen(Effect.andThen(waiting, Scope.close(scope, Exit.void)), waiting)
            return isHold(hold) ? { lost: Effect.as(losing, "the connection broke") } : hold
          }),
        }),
      ),
    ),
    stores,
  )

describe("takers at several nodes", () => {
  it.live(
    "do each item once, in order, however they take turns",
    () =>
      Effect.forEach(
        Array.from({ length: Math.ceil(runs / 25) }, (_, i) => i),
        (i) =>
          Effect.map(compete(makeRandom(i), threeNodes(i)), ({ done, handed }) => {
            expect(done, `seed ${i}`).toEqual(inOrder)
            // What was cut off was handed out again, and nothing else.
            expect(handed.filter((sequence, at) => sequence !== handed[at - 1])).toEqual(inOrder)
          }),
        { discard: true },
      ),
    60_000,
  )

  it.live(
    "do each item at least once, in order, where holds are lost",
    () =>
      Effect.forEach(
        Array.from({ length: Math.ceil(runs / 50) }, (_, i) => i),
        (i) => {
          const random = makeRandom(i)
          const stores = threeNodes(i).map((each) => outOfTouch(each, random))
          return compete(random, stores).pipe(
            Effect.map(({ done }) => expect([...new Set(done)], `seed ${i}`).toEqual(inOrder)),
            // Each loss is a warning.
            Effect.provideService(References.MinimumLogLevel, "Error"),
          )
        },
        { discard: true },
      ),
    60_000,
  )

  it.live("are found out where nobody asks who holds a queue", () =>
    Effect.gen(function* () {
      const found = yield* Ref.make(false)
      for (let i = 0; i < 20; i++) {
        const stores = threeNodes(i).map((each) => Layer.merge(each, Layer.succeed(Holders, alone)))
        const { done } = yield* compete(makeRandom(i), stores)
        if (done.length > new Set(done).size) yield* Ref.set(found, true)
      }
      expect(yield* Ref.get(found)).toBe(true)
    }),
  )
})

describe("a queue that is taken at another node", () => {
  const two = (sharing: Memory.SharingOptions = { pollMillis: 0 }) => {
    const disk = Memory.makeDisk({ shared: sharing })
    return Effect.forEach(["one", "two"], (device) => build(Memory.layer({ disk, node: nodeNamed(device) })))
  }

  const takenBy = Effect.fnUntraced(function* (queues: Service, handler: (item: QueueItem) => Effect.Effect<void>) {
    const taken = yield* Deferred.make<void>()
    const onTaken = Effect.asVoid(Deferred.succeed(taken, undefined))
    const fiber = yield* Effect.forkScoped(queues.take("work", handler, { onTaken }))
    yield* Deferred.await(taken)
    return fiber
  })

  it.live("is refused, with the node that has it, until its taker ends", () =>
    Effect.gen(function* () {
      const [one, other] = yield* two()
      const taker = yield* takenBy(one!, () => Effect.void)
      const refusal = yield* Effect.flip(other!.take("work", () => Effect.void))
      expect(refusal).toMatchObject({ _tag: "QueueTaken", queue: "work" })
      expect(refusal.message).toContain("acme/press/one")
      yield* Fiber.interrupt(taker)
      yield* takenBy(other!, () => Effect.void)
    }).pipe(Effect.scoped),
  )

  it.live("wakes its taker at once when something is enqueued here", () =>
    Effect.gen(function* () {
      const [one, other] = yield* two()
      const done = yield* Deferred.make<QueueItem>()
      yield* takenBy(one!, (item) => Effect.asVoid(Deferred.succeed(done, item)))
      // The taker has looked, found nothing, and would look again in a minute.
      yield* Effect.sleep(20)
      const item = yield* other!.enqueue("work", "now")
      expect(yield* Deferred.await(done)).toMatchObject({ id: item.id, source: nodeNamed("two") })
    }).pipe(Effect.scoped),
  )

  it.live("is looked at now and then, where no hint comes", () =>
    Effect.gen(function* () {
      const disk = Memory.makeDisk({ shared: { pass: () => undefined } })
      const [one, other] = yield* Effect.forEach(["one", "two"], (device) =>
        build(Memory.layer({ disk, node: nodeNamed(device) }), 5),
      )
      const done = yield* Deferred.make<QueueItem>()
      yield* takenBy(one!, (item) => Effect.asVoid(Deferred.succeed(done, item)))
      const item = yield* other!.enqueue("work", "soon")
      expect((yield* Deferred.await(done)).id).toBe(item.id)
      yield* Effect.repeat(other!.peek("work"), { until: Option.isNone })
    }).pipe(Effect.scoped),
  )
})
