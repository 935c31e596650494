/**
 * Queues of several nodes on one store: their laws, takers that compete, and who is told what. `LAW_RUNS` sets how many
 * programs each test runs.
 */
import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Option, Ref, References, Scope } from "effect"
import type { QueueItem } from "../../src/domain/QueueItem.ts"
import { defaultQueuesSettings, layer, Queues, QueuesSettings } from "../../src/queues/index.ts"
import { alone, Holders, isHold } from "../../src/storage/Holders.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import type { StoreServices } from "../../src/storage/Stores.ts"
import * as QueueLaws from "../../src/testing/queueLaws.ts"
import { makeRandom } from "../topics/jitter.ts"
import { nodeNamed, threeNodes } from "../topics/sharedMemory.ts"

const runs = Number(process.env["LAW_RUNS"] ?? 500)

type Stores = Layer.Layer<StoreServices, unknown>
type Service = Queues["Service"]

/** Polling makes no test pass that should be woken. */
const settings = { ...defaultQueuesSettings, pollMillis: 60_000 }

const queuesOver = (stores: Stores, pollMillis = settings.pollMillis) =>
  layer.pipe(Layer.provide(stores), Layer.provide(Layer.succeed(QueuesSettings, { ...settings, pollMillis })))

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

const itemsMax = 60

/** Builds queues, and gives them until the scope closes. */
const build = (stores: Stores, pollMillis?: number) =>
  Effect.map(Layer.build(Layer.fresh(queuesOver(stores, pollMillis))), Context.get(Queues))

/**
 * Takers at all nodes compete for one queue that all enqueue to, and leave it after a while, each in its own way. Gives in
 * which order items were handed out, and in which they were done.
 */
const compete = Effect.fnUntraced(function* (random: () => number, stores: ReadonlyArray<Stores>) {
  const nodes = yield* Effect.forEach(stores, (each) => build(each, 2))
  const handed: Array<number> = []
  const done: Array<number> = []
  const all = yield* Deferred.make<void>()
  const step = Effect.suspend(() => (random() < 0.3 ? Effect.sleep(random()) : Effect.yieldNow))

  const taker = Effect.fnUntraced(function* (queues: Service) {
    const patience = Math.floor(random() * 12)
    const isLeaving = yield* Deferred.make<void>()
    let mine = 0
    const handle = Effect.fnUntraced(function* (item: QueueItem) {
      handed.push(item.sequence)
      yield* step
      if (mine++ >= patience) {
        // It goes in the middle of an item, which stays.
        yield* Deferred.succeed(isLeaving, undefined)
        return yield* Effect.never
      }
      done.push(item.sequence)
      if (done.length >= itemsMax && new Set(done).size === itemsMax) yield* Deferred.succeed(all, undefined)
    })
    yield* Effect.raceFirst(queues.take("work", handle), Deferred.await(isLeaving)).pipe(
      Effect.catchTag("QueueTaken", () => step),
    )
  })
  const takers = nodes.map((queues) => Effect.forever(Effect.andThen(taker(queues), step)))
  const enqueuing = Effect.forEach(
    Array.from({ length: itemsMax }),
    () => Effect.andThen(nodes[Math.floor(random() * nodes.length)]!.enqueue("work", "item"), step),
    { discard: true },
  )
  const fibers = yield* Effect.forEach(takers, (each) => Effect.forkChild(each))
  yield* enqueuing
  yield* Effect.timeoutOption(Deferred.await(all), "10 seconds")
  yield* Fiber.interruptAll(fibers)
  return { handed, done }
}, Effect.scoped)

const inOrder = Array.from({ length: itemsMax }, (_, i) => i + 1)

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
