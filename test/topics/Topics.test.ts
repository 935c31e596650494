import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Option, Stream } from "effect"
import type { Message } from "../../src/domain/Message.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import { defaultTopicsSettings, layer, Topics, TopicsSettings } from "../../src/topics/index.ts"

const topicsLayer = layer.pipe(Layer.provideMerge(Memory.layer()))

const text = (message: Message): string => Buffer.from(message.payload).toString()
const texts = (messages: ReadonlyArray<Message>): ReadonlyArray<string> => messages.map(text)

/** The first messages of a subscription, which must come. */
const first = (count: number, filter: string, options?: Parameters<Topics["Service"]["subscribe"]>[1]) =>
  Stream.unwrap(Topics.useSync((topics) => topics.subscribe(filter, options))).pipe(
    Stream.take(count),
    Stream.runCollect,
  )

/** Starts a subscription and waits until it is live. */
const follow = Effect.fnUntraced(function* (count: number, filter: string) {
  const live = yield* Deferred.make<void>()
  const fiber = yield* Effect.forkChild(
    first(count, filter, { onLive: Effect.asVoid(Deferred.succeed(live, undefined)) }),
  )
  yield* Deferred.await(live)
  return fiber
})

describe("publishing", () => {
  it.effect("gives the stored message, numbered from 1 in each topic", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      const one = yield* topics.publish("orders", "a", { headers: { kind: "test" } })
      const two = yield* topics.publish("orders", new Uint8Array([0, 255]))
      const other = yield* topics.publish("bills", "b")
      expect([one.offset, two.offset, other.offset]).toEqual([1, 2, 1])
      expect(one.position).toBeLessThan(two.position)
      expect(two.position).toBeLessThan(other.position)
      expect(one).toMatchObject({ topic: "orders", deleted: false, origin: { tenant: "tenant" } })
      expect({ ...one.headers }).toEqual({ kind: "test" })
      const [stored] = yield* topics.fetch("orders")
      expect({ ...stored!, payload: text(stored!) }).toEqual({ ...one, payload: text(one) })
    }).pipe(Effect.provide(topicsLayer)),
  )

  it.effect("shares commits among those who publish at the same time", () =>
    Effect.gen(function* () {
      let commits = 0
      const counted = Layer.effect(
        LogStore,
        LogStore.useSync((store) =>
          LogStore.of({
            ...store,
            append: (requests) => Effect.suspend(() => (commits++, store.append(requests))),
          }),
        ),
      ).pipe(Layer.provideMerge(Memory.layer()))
      const messages = yield* Effect.gen(function* () {
        const topics = yield* Topics
        return yield* Effect.forEach(
          Array.from({ length: 500 }, (_, i) => i),
          (i) => topics.publish("t", `${i}`),
          {
            concurrency: "unbounded",
          },
        )
      }).pipe(Effect.provide(layer.pipe(Layer.provide(counted))))
      expect(messages.map((message) => message.offset)).toEqual(Array.from({ length: 500 }, (_, i) => i + 1))
      expect(commits).toBeLessThan(10)
    }),
  )

  it.effect("stores a batch over several topics wholly or not at all", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      const stored = yield* topics.publishAll([
        { topic: "a", payload: "1" },
        { topic: "b", payload: "2" },
        { topic: "a", payload: "3" },
      ])
      expect(stored.map(({ topic, offset }) => [topic, offset])).toEqual([
        ["a", 1],
        ["b", 1],
        ["a", 2],
      ])
      const refused = yield* Effect.exit(
        topics.publishAll([
          { topic: "a", payload: "4" },
          { topic: "a/#", payload: "5" },
        ]),
      )
      expect(Exit.isFailure(refused)).toBe(true)
      expect(texts(yield* topics.fetch("a"))).toEqual(["1", "3"])
      expect(yield* topics.publishAll([])).toEqual([])
    }).pipe(Effect.provide(topicsLayer)),
  )

  it.effect("stores what is repeated under a key once, and refuses the key for anything else", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      const one = yield* topics.publish("t", "a", { key: "k", headers: { h: "1" } })
      const again = yield* topics.publish("t", "a", { key: "k", headers: { h: "1" } })
      expect(again).toEqual(one)
      const conflict = yield* Effect.flip(topics.publish("t", "b", { key: "k" }))
      expect(conflict).toMatchObject({ _tag: "KeyConflict", topic: "t", key: "k", offset: 1 })
      const elsewhere = yield* topics.publish("u", "b", { key: "k" })
      expect(elsewhere.offset).toBe(1)
      expect(yield* topics.head("t")).toEqual(Option.some(1))
    }).pipe(Effect.provide(topicsLayer)),
  )

  it.effect.each([
    ["", {}, "InvalidArgument"],
    ["a/+", {}, "InvalidArgument"],
    ["a".repeat(1025), {}, "InvalidArgument"],
    ["$msgbus.delete", {}, "NotPermitted"],
    ["$anything", {}, "NotPermitted"],
    ["t", { key: "" }, "InvalidArgument"],
    ["t", { key: "k".repeat(1025) }, "InvalidArgument"],
    ["t", { headers: { "": "x" } }, "InvalidArgument"],
    ["t", { headers: { x: "\ud800" } }, "InvalidArgument"],
  ] as const)("refuses bad input with a typed error: %j", ([topic, options, tag]) =>
    Effect.gen(function* () {
      const topics = yield* Topics
      const error = yield* Effect.flip(topics.publish(topic, "x", options))
      expect(error._tag).toBe(tag)
      expect(yield* topics.heads).toEqual([])
    }).pipe(Effect.provide(topicsLayer)),
  )

  it.effect("refuses a message above the limit, and takes one at the limit", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      const room = 1000 - "t".length
      const error = yield* Effect.flip(topics.publish("t", new Uint8Array(room + 1)))
      expect(error).toMatchObject({ _tag: "MessageTooLarge", bytes: 1001, bytesMax: 1000 })
      expect((yield* topics.publish("t", new Uint8Array(room))).offset).toBe(1)
    }).pipe(
      Effect.provide(topicsLayer),
      Effect.provideService(TopicsSettings, { ...defaultTopicsSettings, messageBytesMax: 1000 }),
    ),
  )
})

describe("subscribing", () => {
  it.effect("replays from the start and goes on live", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      yield* topics.publishAll(["1", "2", "3"].map((payload) => ({ topic: "t", payload })))
      const live = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(
        first(5, "t", { from: "start", onLive: Effect.asVoid(Deferred.succeed(live, undefined)) }),
      )
      yield* Deferred.await(live)
      yield* topics.publish("t", "4")
      yield* topics.publish("other", "x")
      yield* topics.publish("t", "5")
      expect(texts(yield* Fiber.join(fiber))).toEqual(["1", "2", "3", "4", "5"])
    }).pipe(Effect.provide(topicsLayer)),
  )

  it.effect("begins at the end by default", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      yield* topics.publish("t", "before")
      const fiber = yield* follow(1, "t")
      yield* topics.publish("t", "after")
      expect(texts(yield* Fiber.join(fiber))).toEqual(["after"])
    }).pipe(Effect.provide(topicsLayer)),
  )

  it.effect("begins at an offset, also at one that is still to come", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      yield* topics.publishAll(["1", "2", "3"].map((payload) => ({ topic: "t", payload })))
      expect(texts(yield* first(2, "t", { from: 2 }))).toEqual(["2", "3"])
      const future = yield* Effect.forkChild(first(2, "t", { from: 6 }), { startImmediately: true })
      yield* topics.publishAll(["4", "5", "6", "7"].map((payload) => ({ topic: "t", payload })))
      expect(texts(yield* Fiber.join(future))).toEqual(["6", "7"])
    }).pipe(Effect.provide(topicsLayer)),
  )

  it.effect("begins after a cursor, and refuses one of another store", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      yield* topics.publish("t", "1")
      const cursor = yield* topics.cursor
      yield* topics.publish("t", "2")
      expect(texts(yield* first(1, "#", { from: cursor }))).toEqual(["2"])
      const foreign = yield* Effect.flip(first(1, "#", { from: { ...cursor, incarnation: "another" } }))
      expect(foreign._tag).toBe("CursorInvalid")
      const beyond = yield* Effect.flip(first(1, "#", { from: { ...cursor, position: 1000 } }))
      expect(beyond._tag).toBe("CursorInvalid")
    }).pipe(Effect.provide(topicsLayer)),
  )

  it.effect("follows a filter in commit order, without the bus's own topics", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      const fiber = yield* follow(4, "#")
      yield* topics.publish("a", "1")
      yield* topics.publish("b/c", "2")
      yield* topics.deleteRange("a", 1, 1)
      yield* topics.publish("a", "3")
      yield* topics.publish("b", "4")
      expect(texts(yield* Fiber.join(fiber))).toEqual(["1", "2", "3", "4"])
    }).pipe(Effect.provide(topicsLayer)),
  )

  it.effect.each([
    ["a+", undefined],
    ["", undefined],
    ["a/#", 3],
    ["a", 0],
    ["a", 1.5],
    ["a", Number.MAX_SAFE_INTEGER + 2],
  ] as const)("refuses a bad filter or start: %j from %j", ([filter, from]) =>
    Effect.gen(function* () {
      expect((yield* Effect.flip(first(1, filter, { from })))._tag).toBe("InvalidArgument")
    }).pipe(Effect.provide(topicsLayer)),
  )

  it.effect("hands out payloads that stay as they are when the publisher uses its buffer again", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      const fiber = yield* follow(2, "t")
      const buffer = Buffer.from("first")
      yield* topics.publish("t", buffer)
      buffer.write("again")
      yield* topics.publish("t", buffer)
      expect(texts(yield* Fiber.join(fiber))).toEqual(["first", "again"])
      expect(texts(yield* topics.fetch("t"))).toEqual(["first", "again"])
    }).pipe(Effect.provide(topicsLayer)),
  )
})

describe("deleting", () => {
  it.effect("keeps offsets, drops payloads, leaves a marker", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      yield* topics.publishAll(["1", "2", "3"].map((payload) => ({ topic: "t", payload, headers: { h: payload } })))
      expect(yield* topics.deleteRange("t", 2, 100)).toBe(2)
      expect(yield* topics.deleteRange("t", 1, 3)).toBe(1)
      const stored = yield* topics.fetch("t")
      expect(stored.map(({ offset, deleted, payload }) => [offset, deleted, payload.length])).toEqual([
        [1, true, 0],
        [2, true, 0],
        [3, true, 0],
      ])
      expect(stored.flatMap(({ headers }) => Object.keys(headers))).toEqual([])
      expect((yield* topics.publish("t", "4")).offset).toBe(4)
      const markers = yield* topics.fetch("$msgbus.delete")
      expect(markers.map((marker) => JSON.parse(text(marker)))).toMatchObject([
        { topic: "t", from_head_id: 2, to_head_id: 3, origin: { tenant_id: "tenant", bl_name: "default" } },
        { topic: "t", from_head_id: 1, to_head_id: 3 },
      ])
    }).pipe(Effect.provide(topicsLayer)),
  )

  it.effect("is refused for a range that is none, and for the bus's own topics", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      expect((yield* Effect.flip(topics.deleteRange("t", 2, 1)))._tag).toBe("InvalidArgument")
      expect((yield* Effect.flip(topics.deleteRange("t", 0, 1)))._tag).toBe("InvalidArgument")
      expect((yield* Effect.flip(topics.deleteRange("$msgbus.delete", 1, 1)))._tag).toBe("NotPermitted")
    }).pipe(Effect.provide(topicsLayer)),
  )
})

describe("publishers that never pause", () => {
  it.live("leave room on the event loop for others, also where the store answers at once", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      const publisher = Effect.gen(function* () {
        while (true) yield* topics.publish("t", "x")
      })
      yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.forkScoped(publisher))
      while (Option.isNone(yield* topics.head("t"))) yield* Effect.yieldNow
      // A timer of the host, which a loop kept busy by microtasks would never reach.
      const before = Option.getOrThrow(yield* topics.head("t"))
      yield* Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, 20)))
      expect(Option.getOrThrow(yield* topics.head("t"))).toBeGreaterThanOrEqual(before)
    }).pipe(Effect.provide(topicsLayer)),
  )
})

describe("closing", () => {
  it.live("answers what was published before, and ends subscriptions", () =>
    Effect.gen(function* () {
      const disk = Memory.makeDisk()
      const built = layer.pipe(Layer.provide(Memory.layer({ disk })))
      const { published, ended } = yield* Effect.scoped(
        Effect.gen(function* () {
          const topics = yield* Topics
          const live = yield* Deferred.make<void>()
          const onLive = Effect.asVoid(Deferred.succeed(live, undefined))
          const ended = yield* Effect.forkDetach(Stream.runDrain(topics.subscribe("#", { onLive })))
          yield* Deferred.await(live)
          const published = yield* Effect.forkDetach(topics.publish("t", "last"), { startImmediately: true })
          return { published, ended }
        }).pipe(Effect.provide(built)),
      )
      expect((yield* Fiber.join(published)).offset).toBe(1)
      expect((yield* Effect.flip(Fiber.join(ended)))._tag).toBe("Unavailable")
    }),
  )

  it.effect("refuses what comes after", () =>
    Effect.gen(function* () {
      const topics = yield* Topics.pipe(Effect.provide(topicsLayer))
      expect((yield* Effect.flip(topics.publish("t", "late")))._tag).toBe("Unavailable")
    }),
  )
})
