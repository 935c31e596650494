/**
 * Takers over gRPC: items are handed out ahead, in order, and whatever happens to connections and nodes, each is done;
 * twice only where a process has died in between.
 */
import { expect, it, vi } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Queue, Ref, Schedule } from "effect"
import type { QueueItem } from "../../../src/domain/QueueItem.ts"
import type { Queues } from "../../../src/queues/index.ts"
import type { ReconnectEvent } from "../../../src/protocol/grpc/index.ts"
import * as Proxy from "../../support/Proxy.ts"
import { connectQueues, restartable } from "./TestNode.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

const text = ({ payload }: QueueItem): string => Buffer.from(payload).toString()

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`)

const fill = (queues: Queues["Service"], from: number, to: number) =>
  Effect.forEach(numbers(from, to), (payload) => queues.enqueue("q", payload), {
    concurrency: "unbounded",
    discard: true,
  })

const depth = (queues: Queues["Service"], queue = "q") =>
  Effect.map(queues.queues, (states) => states.find((state) => state.queue === queue)?.depth ?? 0)

const untilEmpty = (queues: Queues["Service"]): Effect.Effect<void, unknown> =>
  Effect.flatMap(depth(queues), (items) =>
    items === 0 ? Effect.void : Effect.andThen(Effect.sleep(5), untilEmpty(queues)),
  )

/** Takes; what was done is in `seen`. */
const taker = Effect.fnUntraced(function* (
  queues: Queues["Service"],
  handle: (item: QueueItem) => Effect.Effect<void, string> = () => Effect.void,
) {
  const seen = yield* Queue.unbounded<string>()
  const fiber = yield* Effect.forkScoped(
    queues.take("q", (item) => Effect.andThen(handle(item), Queue.offer(seen, text(item))), { backoff: () => 1 }),
  )
  return { seen, fiber }
})

it.live("items are there before the one in hand is done, as many as the window takes", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const proxy = yield* Proxy.make(node.port)
    yield* fill(node.queues(), 1, 2000)
    const begun = yield* Deferred.make<void>()
    const go = yield* Deferred.make<void>()
    const queues = yield* connectQueues(proxy.url)
    const { seen } = yield* taker(queues, () => Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(go)))
    yield* Deferred.await(begun)
    // Whatever is on its way has come when the node has answered something else.
    const before = yield* Effect.repeat(
      Effect.andThen(
        node.queues().queues,
        Effect.sync(() => proxy.sentBytes()),
      ),
      { until: (bytes) => bytes > 200 * 40 },
    )
    expect(before).toBeLessThan(2000 * 40)
    // From now on the node's answers are lost: what is done below had come before.
    proxy.mute()
    yield* Deferred.succeed(go, undefined)
    expect(yield* Queue.takeN(seen, 100)).toEqual(numbers(1, 100))
    proxy.cut()
  }),
)

it.live("all come in order, once, however large", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const queues = yield* connectQueues(node.url)
    const sizes = Array.from({ length: 60 }, (_, i) => (i % 7 === 3 ? 3_000_000 : i % 3 === 1 ? 400_000 : i))
    yield* Effect.forEach(sizes, (size) => node.queues().enqueue("q", "x".repeat(size)), { discard: true })
    const { seen } = yield* taker(queues)
    const got = yield* Queue.takeN(seen, sizes.length)
    expect(got.map(({ length }) => length)).toEqual(sizes)
    yield* untilEmpty(node.queues())
  }),
)

it.live("what is rejected is tried again before what comes after it, and dies in its place", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const queues = yield* connectQueues(node.url)
    yield* fill(node.queues(), 1, 300)
    const tries = yield* Ref.make<ReadonlyArray<string>>([])
    const fiber = yield* Effect.forkScoped(
      queues.take(
        "q",
        (item) =>
          Effect.andThen(
            Ref.update(tries, (all) => [...all, `${text(item)}/${item.attempts}`]),
            Number(text(item)) % 100 === 0 ? Effect.fail("no hundreds") : Effect.void,
          ),
        { attemptsMax: 3, backoff: () => 1 },
      ),
    )
    yield* untilEmpty(node.queues())
    yield* Fiber.interrupt(fiber)
    const expected = numbers(1, 300).flatMap((n) =>
      Number(n) % 100 === 0 ? [0, 1, 2].map((i) => `${n}/${i}`) : `${n}/0`,
    )
    expect(yield* Ref.get(tries)).toEqual(expected)
    const dead = yield* node.queues().items("q.dead")
    expect(dead.map((item) => [text(item), item.death?.attempts, item.death?.reason])).toEqual(
      ["100", "200", "300"].map((n) => [n, 3, "no hundreds"]),
    )
  }),
)

it.live("a taker whose connection is cut comes back and goes on, and does nothing twice", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const proxy = yield* Proxy.make(node.port)
    const events = yield* Ref.make<ReadonlyArray<ReconnectEvent>>([])
    const queues = yield* connectQueues(proxy.url, {
      onReconnect: (event) => Ref.update(events, (all) => [...all, event]),
    })
    yield* fill(node.queues(), 1, 500)
    const cutAt = new Set(["100", "250", "251", "400"])
    const { seen } = yield* taker(queues, (item) =>
      Effect.sync(() => {
        if (cutAt.delete(text(item))) proxy.cut()
      }),
    )
    expect(yield* Queue.takeN(seen, 500)).toEqual(numbers(1, 500))
    yield* untilEmpty(node.queues())
    expect(yield* Queue.size(seen)).toBe(0)
    const told = yield* Ref.get(events)
    expect(told[0]).toMatchObject({ _tag: "Lost", of: "taker", url: proxy.url })
    expect(told.at(-1)).toMatchObject({ _tag: "Restored", of: "taker" })
  }),
)

it.live("a taker outlives restarts of the node", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const queues = yield* connectQueues(node.url)
    const { seen } = yield* taker(queues)
    for (let round = 0; round < 3; round++) {
      yield* fill(node.queues(), round * 100 + 1, round * 100 + 100)
      expect(yield* Queue.takeN(seen, 100)).toEqual(numbers(round * 100 + 1, round * 100 + 100))
      yield* node.stop
      yield* node.start
    }
    yield* fill(node.queues(), 301, 310)
    expect(yield* Queue.takeN(seen, 10)).toEqual(numbers(301, 310))
  }),
)

it.live("what a taker has done is in effect when it has ended", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    yield* fill(node.queues(), 1, 200)
    let next = 1
    while (next <= 200) {
      const seen = yield* Effect.scoped(
        Effect.gen(function* () {
          const queues = yield* connectQueues(node.url)
          const { seen, fiber } = yield* taker(queues)
          yield* Queue.take(seen)
          yield* Fiber.interrupt(fiber)
          return 1 + (yield* Queue.clear(seen)).length
        }),
      )
      next += seen
      const front = yield* node.queues().peek("q")
      expect(Option.map(front, text)).toEqual(next > 200 ? Option.none() : Option.some(`${next}`))
    }
  }),
)

it.live("a taker that is gone without a word frees the queue; one that is interrupted frees it at once", () =>
  Effect.gen(function* () {
    const node = yield* restartable({ keepAlive: 150 })
    const proxy = yield* Proxy.make(node.port)
    yield* fill(node.queues(), 1, 1)
    const gone = yield* connectQueues(proxy.url)
    const begun = yield* Deferred.make<void>()
    const first = yield* taker(gone, () => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never))
    yield* Deferred.await(begun)
    const queues = yield* connectQueues(node.url)
    expect(yield* Effect.flip(queues.take("q", () => Effect.void))).toMatchObject({ _tag: "QueueTaken" })
    proxy.vanish()
    const done = yield* Deferred.make<string>()
    const second = yield* Effect.forkScoped(
      Effect.retry(
        queues.take("q", (item) => Deferred.succeed(done, text(item))),
        { while: ({ _tag }) => _tag === "QueueTaken", schedule: Schedule.spaced("20 millis") },
      ),
    )
    expect(yield* Deferred.await(done)).toBe("1")
    yield* untilEmpty(node.queues())
    yield* Fiber.interrupt(second)
    yield* fill(node.queues(), 2, 2)
    const { seen } = yield* taker(queues)
    expect(yield* Queue.take(seen)).toBe("2")
    proxy.cut()
    yield* Fiber.interrupt(first.fiber)
  }),
)

it.live("a second taker is refused, and a node that never answered is told at once", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const queues = yield* connectQueues(node.url)
    yield* fill(node.queues(), 1, 1)
    const { seen } = yield* taker(queues)
    yield* Queue.take(seen)
    expect(yield* Effect.flip(queues.take("q", () => Effect.void))).toMatchObject({ _tag: "QueueTaken", queue: "q" })
    const nobody = yield* connectQueues("grpc://127.0.0.1:1")
    expect(yield* Effect.flip(nobody.take("q", () => Effect.void))).toMatchObject({ _tag: "Unavailable" })
    const exit = yield* Effect.exit(queues.take("q", () => Effect.void, { attemptsMax: 0 }))
    expect(Exit.isFailure(exit)).toBe(true)
  }),
)
