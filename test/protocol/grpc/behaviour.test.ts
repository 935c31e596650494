/**
 * What `Topics` promises, checked twice: in the node's own process, and through the client over a real socket.
 */
import { describe, expect, it, layer, vi } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Queue, Stream } from "effect"
import {
  CursorInvalid,
  InvalidArgument,
  KeyConflict,
  MessageTooLarge,
  NotPermitted,
} from "../../../src/domain/errors.ts"
import { defaultNodeId } from "../../../src/domain/NodeId.ts"
import * as Memory from "../../../src/storage/memory/index.ts"
import * as Laws from "../../../src/testing/laws.ts"
import { layer as layerLocalTopics, Topics } from "../../../src/topics/index.ts"
import { layerRemote } from "./TestNode.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

const text = (payload: Uint8Array): string => Buffer.from(payload).toString()

const worlds = [
  { name: "in process", topics: layerLocalTopics.pipe(Layer.provide(Memory.layer())) },
  { name: "over gRPC", topics: layerRemote() },
] as const

describe.each(worlds)("topics $name", ({ topics: world }) => {
  layer(world, { excludeTestServices: true })((it) => {
    it.effect("publish gives the message as it is stored", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        const headers = { kind: "greeting", ["__proto__"]: "a name like any other", umlaut: "grüß" }
        const first = yield* topics.publish("publish/one", "grüß dich", { headers })
        const second = yield* topics.publish("publish/one", Uint8Array.of(0, 255, 128))
        expect([first.offset, second.offset]).toEqual([1, 2])
        expect(second.position).toBeGreaterThan(first.position)
        expect(first.origin).toEqual(defaultNodeId)
        const stored = yield* topics.fetch("publish/one")
        expect(stored.map(({ payload, ...rest }) => ({ ...rest, payload: [...payload] }))).toEqual(
          [first, second].map(({ payload, ...rest }) => ({ ...rest, payload: [...payload] })),
        )
        expect(Object.entries(stored[0]!.headers).toSorted()).toEqual(Object.entries(headers).toSorted())
        expect(text(stored[0]!.payload)).toBe("grüß dich")
        expect([...stored[1]!.payload]).toEqual([0, 255, 128])
      }),
    )

    it.effect("publishes that are started one after another are stored in that order", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        const numbers = Array.from({ length: 3000 }, (_, i) => i)
        const messages = yield* Effect.forEach(numbers, (i) => topics.publish("publish/many", `${i}`), {
          concurrency: "unbounded",
        })
        expect(messages.map(({ offset }) => offset)).toEqual(numbers.map((i) => i + 1))
      }),
    )

    it.effect("publishAll stores all, also more than fits one request", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        const drafts = Array.from({ length: 4000 }, (_, i) => ({
          topic: `all/${i % 3}`,
          payload: `${i}:${"x".repeat(1500)}`,
        }))
        const messages = yield* topics.publishAll(drafts)
        expect(messages).toHaveLength(4000)
        expect(messages[3999]!.position - messages[0]!.position).toBe(3999)
        expect(messages.slice(0, 4).map(({ topic, offset }) => [topic, offset])).toEqual([
          ["all/0", 1],
          ["all/1", 1],
          ["all/2", 1],
          ["all/0", 2],
        ])
      }),
    )

    it.effect("publishAll stores nothing where one draft is refused", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        yield* topics.publish("atomic/keys", "content", { key: "k" })
        const error = yield* Effect.flip(
          topics.publishAll([
            { topic: "atomic/other", payload: "1" },
            { topic: "atomic/keys", payload: "other content", key: "k" },
          ]),
        )
        expect(error).toBeInstanceOf(KeyConflict)
        expect(yield* topics.head("atomic/other")).toEqual(Option.none())
        expect(yield* topics.publishAll([])).toEqual([])
      }),
    )

    it.effect("a key makes a publish repeatable, and refuses other content", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        const first = yield* topics.publish("keys", "content", { key: "k" })
        const again = yield* topics.publish("keys", "content", { key: "k" })
        expect(again).toEqual(first)
        const error = yield* Effect.flip(topics.publish("keys", "other content", { key: "k" }))
        expect(error).toBeInstanceOf(KeyConflict)
        expect(error).toMatchObject({ topic: "keys", key: "k", offset: first.offset })
        expect(yield* topics.head("keys")).toEqual(Option.some(1))
      }),
    )

    it.effect("refusals are typed, and change nothing", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        const before = yield* topics.heads
        for (const topic of ["", " ", "a\0b", "a/+", "#", "x".repeat(1025), "\ud800"]) {
          expect(yield* Effect.flip(topics.publish(topic, ""))).toBeInstanceOf(InvalidArgument)
          expect(yield* Effect.flip(topics.fetch(topic))).toBeInstanceOf(InvalidArgument)
          expect(yield* Effect.flip(topics.head(topic))).toBeInstanceOf(InvalidArgument)
          expect(yield* Effect.flip(topics.deleteRange(topic, 1, 1))).toBeInstanceOf(InvalidArgument)
        }
        expect(yield* Effect.flip(topics.publish("$millrace/x", ""))).toBeInstanceOf(NotPermitted)
        expect(yield* Effect.flip(topics.deleteRange("$msgbus.delete", 1, 1))).toBeInstanceOf(NotPermitted)
        const tooLarge = yield* Effect.flip(topics.publish("large", new Uint8Array(3_670_017)))
        expect(tooLarge).toBeInstanceOf(MessageTooLarge)
        expect(tooLarge).toMatchObject({ bytes: 3_670_022, bytesMax: 3_670_016 })
        expect(yield* Effect.flip(topics.publish("large", new Uint8Array(30_000_000)))).toMatchObject({
          _tag: "MessageTooLarge",
          bytes: 30_000_005,
          bytesMax: 3_670_016,
        })
        expect(yield* Effect.flip(topics.publish("a", "", { headers: { "": "x" } }))).toBeInstanceOf(InvalidArgument)
        expect(yield* Effect.flip(topics.publish("a", "", { key: "" }))).toBeInstanceOf(InvalidArgument)
        for (const from of [0, -1, 1.5, Number.NaN, 2 ** 53]) {
          expect(yield* Effect.flip(topics.fetch("a", { from }))).toMatchObject({ argument: "from" })
          expect(yield* Effect.flip(topics.deleteRange("a", from, 9))).toMatchObject({ argument: "from" })
          expect(yield* Effect.flip(Stream.runDrain(topics.subscribe("a", { from })))).toMatchObject({
            argument: "from",
          })
        }
        expect(yield* Effect.flip(topics.fetch("a", { limit: 0 }))).toMatchObject({ argument: "limit" })
        expect(yield* Effect.flip(topics.deleteRange("a", 2, 1))).toBeInstanceOf(InvalidArgument)
        const origin = { tenant: "t", line: " ", device: "d" }
        expect(yield* Effect.flip(topics.fetch("a", { origin }))).toMatchObject({ argument: "origin" })
        expect(yield* topics.heads).toEqual(before)
      }),
    )

    it.effect("a message of the largest size comes back whole", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        const payload = Buffer.alloc(3_670_016 - 4, 7)
        payload[1_000_000] = 9
        yield* topics.publish("size", payload)
        const [message] = yield* topics.fetch("size")
        expect(payload.equals(message!.payload)).toBe(true)
        const [live] = yield* topics.subscribe("size", { from: "start" }).pipe(Stream.take(1), Stream.runCollect)
        expect(payload.equals(live!.payload)).toBe(true)
      }),
    )

    it.effect("fetch reads a log page by page", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        yield* topics.publishAll(Array.from({ length: 250 }, (_, i) => ({ topic: "pages", payload: `${i + 1}` })))
        expect(yield* topics.fetch("pages")).toHaveLength(100)
        const page = yield* topics.fetch("pages", { from: 201, limit: 500 })
        expect(page.map(({ offset, payload }) => `${offset}` === text(payload))).toEqual(page.map(() => true))
        expect(page).toHaveLength(50)
        expect(yield* topics.fetch("pages", { from: 251 })).toEqual([])
        expect(yield* topics.fetch("nothing here")).toEqual([])
        expect(yield* topics.fetch("pages", { origin: { ...defaultNodeId, device: "other" } })).toEqual([])
      }),
    )

    it.effect("deleted messages keep their places, and a marker tells of them", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        yield* topics.publishAll([1, 2, 3].map((i) => ({ topic: "deletes", payload: `${i}`, headers: { i: `${i}` } })))
        expect(yield* topics.deleteRange("deletes", 2, 99)).toBe(2)
        expect(yield* topics.deleteRange("deletes", 1, 2)).toBe(1)
        const left = yield* topics.fetch("deletes")
        expect(left.map((m) => [m.offset, m.deleted, m.payload.byteLength, Object.keys(m.headers).length])).toEqual([
          [1, true, 0, 0],
          [2, true, 0, 0],
          [3, true, 0, 0],
        ])
        const markers = yield* topics.fetch("$msgbus.delete")
        expect(JSON.parse(text(markers.at(-2)!.payload))).toMatchObject({
          topic: "deletes",
          from_head_id: 2,
          to_head_id: 3,
        })
      }),
    )

    it.effect("heads tells of every log, info of the node, check that it works", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        yield* topics.publish("heads/a", "1")
        yield* topics.publish("heads/a", "2")
        expect(yield* topics.head("heads/a")).toEqual(Option.some(2))
        expect(yield* topics.head("heads/a", defaultNodeId)).toEqual(Option.some(2))
        expect(yield* topics.head("heads/b")).toEqual(Option.none())
        expect(yield* topics.heads).toContainEqual({ topic: "heads/a", origin: defaultNodeId, offset: 2 })
        const { node, incarnation } = yield* topics.info
        expect(node).toEqual(defaultNodeId)
        const message = yield* topics.publish("heads/a", "3")
        expect(yield* topics.cursor).toEqual({ incarnation, position: message.position })
        yield* topics.check
      }),
    )

    it.effect("subscribe replays, says that it is live, and follows", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        yield* topics.publishAll([1, 2, 3].map((i) => ({ topic: "follow/a", payload: `${i}` })))
        const events = yield* Queue.unbounded<string>()
        const fiber = yield* topics.subscribe("follow/+", { from: "start", onLive: Queue.offer(events, "live") }).pipe(
          Stream.take(5),
          Stream.runForEach((m) => Queue.offer(events, `${m.topic} ${m.offset}`)),
          Effect.forkChild,
        )
        expect(yield* Queue.takeN(events, 4)).toEqual(["follow/a 1", "follow/a 2", "follow/a 3", "live"])
        yield* topics.publish("follow/b", "1")
        yield* topics.publish("elsewhere", "1")
        yield* topics.publish("follow/a", "4")
        expect(yield* Queue.takeN(events, 2)).toEqual(["follow/b 1", "follow/a 4"])
        yield* Fiber.join(fiber)
      }),
    )

    it.effect("subscribe starts at the end, an offset, a future offset, a cursor", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        yield* topics.publishAll([1, 2, 3].map((i) => ({ topic: "starts", payload: `${i}` })))
        const place = yield* topics.cursor
        const seen = yield* Queue.unbounded<string>()
        const live = yield* Queue.unbounded<string>()
        const starts = { end: "end", second: 2, future: 5, place } as const
        for (const [name, from] of Object.entries(starts)) {
          yield* topics.subscribe("starts", { from, origin: defaultNodeId, onLive: Queue.offer(live, name) }).pipe(
            Stream.takeUntil((m) => m.offset === 6),
            Stream.runForEach((m) => Queue.offer(seen, `${name} ${m.offset}`)),
            Effect.forkChild,
          )
        }
        yield* Queue.takeN(live, 4)
        yield* topics.publishAll([4, 5, 6].map((i) => ({ topic: "starts", payload: `${i}` })))
        const all = yield* Queue.takeN(seen, 3 + 5 + 2 + 3)
        const of = (name: string) => all.filter((line) => line.startsWith(name)).map((line) => line.split(" ")[1])
        expect(of("end")).toEqual(["4", "5", "6"])
        expect(of("second")).toEqual(["2", "3", "4", "5", "6"])
        expect(of("future")).toEqual(["5", "6"])
        expect(of("place")).toEqual(["4", "5", "6"])
      }),
    )

    it.effect("a subscription that can never be right fails at once", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        const failure = (filter: string, from: Parameters<typeof topics.subscribe>[1]) =>
          Effect.flip(Stream.runDrain(topics.subscribe(filter, from)))
        expect(yield* failure("a/b#", {})).toMatchObject({ _tag: "InvalidArgument", argument: "topic" })
        expect(yield* failure("", {})).toBeInstanceOf(InvalidArgument)
        expect(yield* failure("a/#", { from: 3 })).toMatchObject({ _tag: "InvalidArgument", argument: "from" })
        expect(yield* failure("a", { from: { incarnation: "another", position: 1 } })).toBeInstanceOf(CursorInvalid)
        const { incarnation } = yield* topics.cursor
        expect(yield* failure("a", { from: { incarnation, position: 2 ** 40 } })).toBeInstanceOf(CursorInvalid)
      }),
    )

    it.effect("a subscriber that goes leaves the others alone", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        const live = yield* Queue.unbounded<string>()
        const stays = yield* topics
          .subscribe("leaves", { onLive: Queue.offer(live, "") })
          .pipe(Stream.take(100), Stream.runCount, Effect.forkChild)
        const goes = yield* topics
          .subscribe("leaves", { onLive: Queue.offer(live, "") })
          .pipe(Stream.runDrain, Effect.forkChild)
        yield* Queue.takeN(live, 2)
        yield* topics.publish("leaves", "1")
        yield* Fiber.interrupt(goes)
        yield* Effect.forEach(Array.from({ length: 99 }), () => topics.publish("leaves", ""), {
          concurrency: "unbounded",
        })
        expect(yield* Fiber.join(stays)).toBe(100)
      }),
    )
  })
})

it.live(
  "the ordering laws hold over gRPC",
  () => {
    const disk = Memory.makeDisk()
    return Laws.ordering({ layer: layerRemote({ disk }), reopens: true, patienceMillis: 5000 }, { runs: 60 })
  },
  60_000,
)
