/**
 * Subscriptions over connections that do not hold: each message once, in order, whatever happens in between.
 */
import { expect, it, vi } from "@effect/vitest"
import { Deferred, Effect, Fiber, Queue, Ref, Stream } from "effect"
import { CursorInvalid, StorageFailed, Unavailable } from "../../../src/domain/errors.ts"
import type { ReconnectEvent } from "../../../src/protocol/grpc/index.ts"
import type { SubscribeOptions, Topics } from "../../../src/topics/index.ts"
import * as Proxy from "../../support/Proxy.ts"
import { connect, restartable } from "./TestNode.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

/** Follows a topic; gives the payloads as they come, and how it ended. */
const follow = Effect.fnUntraced(function* (topics: Topics["Service"], filter: string, options: SubscribeOptions) {
  const seen = yield* Queue.unbounded<string>()
  const live = yield* Queue.unbounded<void>()
  const fiber = yield* topics.subscribe(filter, { ...options, onLive: Queue.offer(live, undefined) }).pipe(
    Stream.runForEach((message) => Queue.offer(seen, Buffer.from(message.payload).toString())),
    Effect.flip,
    Effect.forkScoped,
  )
  return { take: (n: number) => Queue.takeN(seen, n), live: Queue.take(live), liveCount: Queue.size(live), fiber }
})

const publish = (topics: Topics["Service"], from: number, to: number) =>
  topics.publishAll(Array.from({ length: to - from + 1 }, (_, i) => ({ topic: "t", payload: `${from + i}` })))

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`)

it.live("a subscription to a node that never answered fails at once and names the URL", () =>
  Effect.gen(function* () {
    const topics = yield* connect("grpc://127.0.0.1:1")
    const error = yield* Effect.flip(Stream.runDrain(topics.subscribe("t")))
    expect(error).toBeInstanceOf(Unavailable)
    expect(error.message).toBe("no node answers at grpc://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1")
  }),
)

it.live("each message comes once and in order across lost connections, and the user is told", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const proxy = yield* Proxy.make(node.port)
    const events = yield* Ref.make<ReadonlyArray<ReconnectEvent>>([])
    const topics = yield* connect(proxy.url, {
      onReconnect: (event) => Ref.update(events, (all) => [...all, event]),
    })
    yield* publish(node.topics(), 1, 1000)
    const { take, live, liveCount } = yield* follow(topics, "t", { from: "start" })
    expect(yield* take(1000)).toEqual(numbers(1, 1000))
    yield* live
    for (let round = 1; round <= 3; round++) {
      proxy.cut()
      yield* publish(node.topics(), round * 1000 + 1, round * 1000 + 1000)
      expect(yield* take(1000)).toEqual(numbers(round * 1000 + 1, round * 1000 + 1000))
    }
    expect(yield* liveCount).toBe(0)
    const seen = yield* Ref.get(events)
    expect(seen.filter(({ _tag }) => _tag === "Lost")).toHaveLength(3)
    expect(seen.filter(({ _tag }) => _tag === "Restored")).toHaveLength(3)
    expect(seen[0]).toMatchObject({ _tag: "Lost", url: proxy.url })
    expect(seen[1]).toMatchObject({ _tag: "Retrying", attempt: 1 })
    expect(seen.at(-1)).toMatchObject({ _tag: "Restored" })
  }),
)

it.live("each message comes once and in order across restarts of the node", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const topics = yield* connect(node.url)
    yield* publish(node.topics(), 1, 10)
    const starts = {
      start: "start",
      end: "end",
      second: 2,
      third: { position: 3, ...(yield* node.topics().info) },
    } as const
    const start = yield* follow(topics, "t", { from: starts.start })
    const end = yield* follow(topics, "+", { from: starts.end })
    const second = yield* follow(topics, "t", { from: starts.second })
    const third = yield* follow(topics, "#", { from: starts.third })
    yield* Effect.all([start.live, end.live, second.live, third.live])
    yield* node.stop
    yield* node.start
    yield* publish(node.topics(), 11, 20)
    yield* node.stop
    yield* node.start
    yield* publish(node.topics(), 21, 30)
    expect(yield* start.take(30)).toEqual(numbers(1, 30))
    expect(yield* end.take(20)).toEqual(numbers(11, 30))
    expect(yield* second.take(29)).toEqual(numbers(2, 30))
    expect(yield* third.take(27)).toEqual(numbers(4, 30))
  }),
)

it.live("a start at the end is a place: what is published while the connection is lost is not missed", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const proxy = yield* Proxy.make(node.port)
    const topics = yield* connect(proxy.url)
    yield* publish(node.topics(), 1, 5)
    const { take, live } = yield* follow(topics, "t", { from: "end" })
    yield* live
    proxy.refuse(true)
    proxy.cut()
    yield* publish(node.topics(), 6, 9)
    proxy.refuse(false)
    expect(yield* take(4)).toEqual(numbers(6, 9))
  }),
)

it.live("a future offset is waited for, also across a restart", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const topics = yield* connect(node.url)
    const { take, live } = yield* follow(topics, "t", { from: 8 })
    yield* live
    yield* publish(node.topics(), 1, 3)
    yield* node.stop
    yield* node.start
    yield* publish(node.topics(), 4, 12)
    expect(yield* take(5)).toEqual(numbers(8, 12))
  }),
)

it.live("another store behind the same URL is noticed, whatever the start was", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const topics = yield* connect(node.url)
    yield* publish(node.topics(), 1, 3)
    const started = yield* Effect.forEach(["start", "end", 2, 9] as const, (from) => follow(topics, "t", { from }))
    yield* Effect.forEach(started, ({ live }) => live)
    yield* node.stop
    node.replaceDisk()
    yield* node.start
    for (const { fiber } of started) expect(yield* Fiber.join(fiber)).toBeInstanceOf(CursorInvalid)
  }),
)

it.live("reconnecting ends after its time", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const topics = yield* connect(node.url, { reconnectFor: "200 millis" })
    const { live, fiber } = yield* follow(topics, "t", {})
    yield* live
    yield* node.stop
    const error = yield* Fiber.join(fiber)
    expect(error).toBeInstanceOf(Unavailable)
    expect(error.message).toContain(node.url)
  }),
)

it.live("a storage that fails is not a lost connection", () =>
  Effect.gen(function* () {
    const failure = new StorageFailed({ operation: "read", message: "the disk is on fire" })
    const node = yield* restartable({
      decorate: (topics) => ({ ...topics, subscribe: () => Stream.fail(failure) }),
    })
    const topics = yield* connect(node.url)
    const error = yield* Effect.flip(Stream.runDrain(topics.subscribe("t")))
    expect(error).toBeInstanceOf(StorageFailed)
    expect(error).toMatchObject({ operation: "read", message: "the disk is on fire" })
  }),
)

it.live("a subscriber that reads nothing holds up neither the node nor the others", () =>
  Effect.gen(function* () {
    const payload = new Uint8Array(64 * 1024)
    const pulled = { count: 0 }
    const node = yield* restartable({
      decorate: (topics) => ({
        ...topics,
        subscribe: (filter, options) =>
          topics.subscribe(filter, options).pipe(
            Stream.tap((message) => {
              if (message.topic === "slow") pulled.count++
              return Effect.void
            }),
          ),
      }),
    })
    const topics = yield* connect(node.url)
    yield* node.topics().publishAll(Array.from({ length: 500 }, () => ({ topic: "slow", payload })))
    const first = yield* Deferred.make<void>()
    const go = yield* Deferred.make<void>()
    const slow = yield* topics.subscribe("slow", { from: "start" }).pipe(
      Stream.take(500),
      Stream.tap(() => Effect.andThen(Deferred.succeed(first, undefined), Deferred.await(go))),
      Stream.runCount,
      Effect.forkScoped,
    )
    yield* Deferred.await(first)
    // Others go on, and what the slow one costs is bounded: far from the 32 MB that wait for it.
    yield* publish(topics, 1, 1000)
    expect(yield* topics.subscribe("t", { from: "start" }).pipe(Stream.take(1000), Stream.runCount)).toBe(1000)
    expect(pulled.count).toBeLessThan(250)
    yield* Deferred.succeed(go, undefined)
    expect(yield* Fiber.join(slow)).toBe(500)
  }),
)

it.live("interrupting a subscriber ends the call at the node", () =>
  Effect.gen(function* () {
    const ended = yield* Queue.unbounded<void>()
    const node = yield* restartable({
      decorate: (topics) => ({
        ...topics,
        subscribe: (filter, options) =>
          topics.subscribe(filter, options).pipe(Stream.ensuring(Queue.offer(ended, undefined))),
      }),
    })
    const topics = yield* connect(node.url)
    const { live, fiber } = yield* follow(topics, "t", {})
    yield* live
    yield* Fiber.interrupt(fiber)
    yield* Queue.take(ended)
  }),
)

it.live(
  "publishers with keys and subscribers come through cut connections and restarts together: each message once, in order",
  () =>
    Effect.gen(function* () {
      const node = yield* restartable({ drain: "100 millis" })
      const proxy = yield* Proxy.make(node.port)
      const topics = yield* connect(proxy.url)
      const writers = ["a", "b", "c", "d"]
      const count = 400
      const all = writers.length * count
      const reader = yield* topics.subscribe("chaos/#", { from: "start" }).pipe(
        Stream.take(all),
        Stream.map(({ topic, offset, payload }) => `${topic} ${offset} ${Buffer.from(payload)}`),
        Stream.runCollect,
        Effect.forkScoped,
      )
      let acknowledged = 0
      const disturb = Effect.suspend(() => {
        acknowledged++
        if (acknowledged % 400 === 200) return Effect.andThen(node.stop, node.start)
        if (acknowledged % 100 === 0) proxy.cut()
        return Effect.void
      })
      yield* Effect.forEach(
        writers,
        (writer) =>
          Effect.forEach(
            Array.from({ length: count }, (_, i) => i + 1),
            (i) =>
              // A node that shuts down says that nothing was stored: the writer tries again.
              topics.publish(`chaos/${writer}`, `${i}`, { key: `${i}` }).pipe(
                Effect.tap((message) => {
                  if (message.offset !== i) throw new Error(`${writer} ${i} is stored at ${message.offset}`)
                  return disturb
                }),
                Effect.retry({ while: (error) => error._tag === "Unavailable" }),
              ),
            { discard: true },
          ),
        { concurrency: "unbounded", discard: true },
      )
      const seen = yield* Fiber.join(reader)
      for (const writer of writers) {
        expect(seen.filter((line) => line.startsWith(`chaos/${writer} `))).toEqual(
          Array.from({ length: count }, (_, i) => `chaos/${writer} ${i + 1} ${i + 1}`),
        )
      }
    }),
  60_000,
)
