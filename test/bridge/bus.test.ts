/** `.bus`: what live clients can ask of it, what they are told, and what they may. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option, Result, Stream } from "effect"
import * as Permissions from "../../src/access/Permissions.ts"
import * as Bridge from "../../src/bridge/index.ts"
import { errorCodes } from "../../src/bridge/contract/errors.ts"
import { pieces } from "../../src/bridge/server/Reader.ts"
import { sessionsMax } from "../../src/bridge/server/Sessions.ts"
import type { Message } from "../../src/domain/Message.ts"
import { noHeaders } from "../../src/domain/Message.ts"
import { defaultNodeId } from "../../src/domain/NodeId.ts"
import * as Exchange from "../../src/exchange/index.ts"
import * as Queues from "../../src/queues/index.ts"
import * as Rpc from "../../src/rpc/index.ts"
import { Topics } from "../../src/topics/index.ts"
import { layerBusNode } from "./BusNode.ts"

const connect = (name: string) =>
  Effect.gen(function* () {
    const { connect } = yield* Exchange.Exchange
    const rpc = yield* Rpc.make(yield* connect(name))
    const ask = (method: string, params?: unknown) =>
      Effect.flatMap(
        rpc.call(".bus", method, params === undefined ? undefined : Rpc.MessagePack.encode(params)),
        (bytes) => Effect.succeed(bytes.length === 0 ? undefined : Result.getOrThrow(Rpc.MessagePack.decode(bytes))),
      )
    return { rpc, ask, topics: yield* Bridge.makeTopics(rpc), queues: yield* Bridge.makeQueues(rpc) }
  })

const texts = (messages: ReadonlyArray<{ readonly payload: Uint8Array }>) =>
  messages.map(({ payload }) => Buffer.from(payload).toString())

const provide = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(Effect.scoped(effect), layerBusNode())

describe("a call of .bus", () => {
  it.live("by any client, in MessagePack, needs no library of ours", () =>
    Effect.gen(function* () {
      const { ask } = yield* connect("plain")
      const stored = yield* ask("publish", { topic: "t", payload: "hello", headers: { a: "b" }, key: null })
      expect(stored).toMatchObject({ topic: "t", origin: "tenant/default/device", offset: 1, position: 1 })
      yield* ask("batch", {
        messages: [
          { topic: "t", payload: new Uint8Array([1, 2]) },
          { topic: "u", payload: "" },
        ],
      })
      const { messages } = (yield* ask("fetch", { topic: "t" })) as { messages: ReadonlyArray<Message> }
      expect(messages).toMatchObject([
        { offset: 1, headers: { a: "b" }, payload: new Uint8Array(Buffer.from("hello")) },
        { offset: 2, payload: new Uint8Array([1, 2]) },
      ])
      expect(yield* ask("head", { topic: "t" })).toMatchObject({ offset: 2 })
      expect(yield* ask("head", { topic: "none" })).toEqual({ __proto__: null })
      expect(yield* ask("heads")).toMatchObject({ heads: [{ topic: "t" }, { topic: "u", offset: 1 }] })
      expect(yield* ask("delete", { topic: "t", from: 1, to: 1 })).toMatchObject({ deleted: 1 })
      expect(yield* ask("check")).toBeUndefined()
      const { id } = (yield* ask("subscribe", { filter: "t", from: "start" })) as { id: number }
      const first = (yield* ask("subscribe.next", { id })) as { messages: ReadonlyArray<Message> }
      expect(first.messages).toMatchObject([{ offset: 1, deleted: true }, { offset: 2 }])
      expect(yield* ask("subscribe.next", { id, after: 2 })).toMatchObject({ messages: [], live: true })
      // As if an answer had been lost.
      expect(yield* ask("subscribe.next", { id, after: 1 })).toMatchObject({ messages: [{ offset: 2 }] })
      expect(yield* ask("subscribe.next", { id, after: 2, wait: 1 })).toMatchObject({ messages: [] })
      yield* ask("subscribe.end", { id })
      expect((yield* Effect.flip(ask("subscribe.next", { id }))) as Rpc.RpcError).toMatchObject({
        code: errorCodes.SessionUnknown,
      })
    }).pipe(provide),
  )

  it.live("that is not as agreed is refused in words", () =>
    Effect.gen(function* () {
      const { ask, rpc } = yield* connect("plain")
      const code = (effect: Effect.Effect<unknown, unknown>) =>
        Effect.map(Effect.flip(effect), (error) => (error as Rpc.RpcError).code)
      expect(yield* code(ask("publish", { topic: "t" }))).toBe(-32602)
      expect(yield* code(ask("publish", { topic: 5, payload: "" }))).toBe(-32602)
      expect(yield* code(ask("fetch", { topic: "t", from: -1 }))).toBe(-32602)
      expect(yield* code(ask("fetch", { topic: "t", from: 2n ** 60n }))).toBe(-32602)
      expect(yield* code(ask("fetch", { topic: "a+b" }))).toBe(-32602)
      expect(yield* code(ask("nothing"))).toBe(-32601)
      expect(yield* code(rpc.call(".bus", "publish", new Uint8Array([0xc1])))).toBe(-32700)
    }).pipe(provide),
  )

  it.live("fails with the error that the node had", () =>
    Effect.gen(function* () {
      const { ask, topics, queues } = yield* connect("app")
      yield* topics.publish("t", "1", { key: "k" })
      const conflict = yield* Effect.flip(topics.publish("t", "2", { key: "k" }))
      expect(conflict).toMatchObject({ _tag: "KeyConflict", topic: "t", key: "k", offset: 1 })
      const raw = (yield* Effect.flip(ask("publish", { topic: "t", payload: "2", key: "k" }))) as Rpc.RpcError
      expect(raw.code).toBe(errorCodes.KeyConflict)
      expect(JSON.parse(new TextDecoder().decode(raw.data))).toMatchObject({ _tag: "KeyConflict", offset: 1 })
      expect(yield* Effect.flip(topics.publish("$t", ""))).toMatchObject({ _tag: "NotPermitted" })
      expect(yield* Effect.flip(topics.publish("t", Buffer.alloc(4 * 1024 * 1024)))).toMatchObject({
        _tag: "MessageTooLarge",
        bytesMax: 3.5 * 1024 * 1024,
      })
      expect(yield* Effect.flip(topics.publish("\ud800", ""))).toMatchObject({
        _tag: "InvalidArgument",
        argument: "topic",
      })
      expect(yield* Effect.flip(topics.resetCursor("none", "end"))).toMatchObject({ _tag: "CursorUnknown" })
      expect(yield* Effect.flip(queues.enqueue("q", "", { topic: "$t" }))).toMatchObject({ _tag: "NotPermitted" })
      const elsewhere = { incarnation: "another store", position: 1 }
      expect(yield* Effect.flip(Stream.runDrain(topics.subscribe("t", { from: elsewhere })))).toMatchObject({
        _tag: "CursorInvalid",
      })
    }).pipe(provide),
  )

  it.live("that publishes is delivered in the name of its caller", () =>
    Effect.gen(function* () {
      const { topics } = yield* connect("app")
      const { connect: connectClient } = yield* Exchange.Exchange
      const ada = yield* connectClient("ada")
      yield* ada.subscribe("#")
      yield* topics.publish("t", "1", { key: "k" })
      yield* topics.publish("t", "1", { key: "k" })
      yield* (yield* Topics).publish("t", "2")
      yield* topics.publishAll([{ topic: "t", payload: "3" }])
      const came = yield* ada.inbox.pipe(Stream.take(3), Stream.runCollect)
      expect(came.map(({ sender, payload }) => `${sender} ${Buffer.from(payload).toString()}`)).toEqual([
        "app 1",
        ".bus 2",
        "app 3",
      ])
    }).pipe(provide),
  )
})

it.live("where there is no bus, calls and subscriptions fail at once", () =>
  Effect.gen(function* () {
    const { connect: connectClient } = yield* Exchange.Exchange
    const topics = yield* Bridge.makeTopics(yield* Rpc.make(yield* connectClient("app")))
    expect(yield* Effect.flip(topics.publish("t", ""))).toMatchObject({ _tag: "Unavailable" })
    expect(yield* Effect.flip(Stream.runDrain(topics.subscribe("t")))).toMatchObject({
      _tag: "Unavailable",
      message: "there is no bus to be called: no client named .bus is connected",
    })
  }).pipe(Effect.scoped, Effect.provide(Layer.provide(Exchange.layer, Exchange.Router.layer()))),
)

describe("what a caller has begun", () => {
  it.live("ends with its connection", () =>
    Effect.gen(function* () {
      const queues = yield* Queues.Queues
      const topics = yield* Topics
      yield* queues.enqueue("q", "1")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { ask } = yield* connect("app")
          yield* ask("cursor.hold", { cursor: "c", filter: "#" })
          const { id } = (yield* ask("take", { queue: "q" })) as { id: number }
          expect(yield* ask("take.next", { id })).toMatchObject({ item: { sequence: 1 } })
          expect(yield* Effect.flip(queues.take("q", () => Effect.void))).toMatchObject({ _tag: "QueueTaken" })
          expect((yield* topics.cursors)[0]).toMatchObject({ name: "c", isHeld: true })
        }),
      )
      const done = yield* Deferred.make<void>()
      const taking = yield* Effect.forkScoped(
        Effect.retry(
          queues.take("q", () => Deferred.succeed(done, undefined)),
          { while: (error) => error._tag === "QueueTaken" },
        ),
      )
      yield* Deferred.await(done)
      yield* Fiber.interrupt(taking)
      while ((yield* topics.cursors)[0]!.isHeld) yield* Effect.yieldNow
    }).pipe(provide),
  )

  it.live("is bounded", () =>
    Effect.gen(function* () {
      const { ask } = yield* connect("app")
      for (let i = 0; i < sessionsMax; i++) yield* ask("subscribe", { filter: "t" })
      expect((yield* Effect.flip(ask("subscribe", { filter: "t" }))) as Rpc.RpcError).toMatchObject({ code: -32602 })
      const other = yield* connect("other")
      yield* other.ask("subscribe", { filter: "t" })
      expect((yield* Effect.flip(other.ask("subscribe.next", { id: 1 }))) as Rpc.RpcError).toMatchObject({
        code: errorCodes.SessionUnknown,
      })
    }).pipe(provide),
  )
})

it.live("a caller may do what access rules let it do", () =>
  Effect.gen(function* () {
    const core = yield* Exchange.Router
    const grants = Permissions.make("app", {
      send: [".bus"],
      publish: ["mine/#"],
      subscribe: ["mine/#"],
      queue: ["mine"],
    })
    const client = yield* Exchange.connectWith(core, "app", false, { grants })
    const rpc = yield* Rpc.make(client)
    const topics = yield* Bridge.makeTopics(rpc)
    const queues = yield* Bridge.makeQueues(rpc)
    yield* (yield* Topics).publish("theirs/1", "secret")
    yield* topics.publish("mine/1", "ok")
    expect(texts(yield* topics.fetch("mine/1"))).toEqual(["ok"])
    expect(yield* topics.heads).toMatchObject([{ topic: "mine/1" }])
    const denied = { _tag: "AccessDenied", principal: "app" }
    expect(yield* Effect.flip(topics.publish("theirs/1", ""))).toMatchObject({ ...denied, verb: "publish" })
    expect(yield* Effect.flip(topics.publishAll([{ topic: "theirs/1", payload: "" }]))).toMatchObject(denied)
    expect(yield* Effect.flip(topics.fetch("theirs/1"))).toMatchObject({ ...denied, verb: "subscribe" })
    expect(yield* Effect.flip(topics.deleteRange("mine/1", 1, 1))).toMatchObject({ ...denied, verb: "delete" })
    expect(yield* Effect.flip(Stream.runDrain(topics.subscribe("#", { from: "start" })))).toMatchObject(denied)
    expect(yield* Effect.flip(topics.consume("c", "theirs/1", () => Effect.void))).toMatchObject(denied)
    expect(yield* Effect.flip(queues.enqueue("theirs", ""))).toMatchObject({ ...denied, verb: "queue" })
    expect(yield* Effect.flip(queues.take("theirs", () => Effect.void))).toMatchObject(denied)
    yield* queues.enqueue("mine", "1")
    expect(Option.isSome(yield* queues.peek("mine"))).toBe(true)
  }).pipe(provide),
)

it("answers are cut to a size, with at least one message each", () => {
  const message = (bytes: number, offset: number): Message => ({
    topic: "t",
    origin: defaultNodeId,
    offset,
    position: offset,
    id: "",
    createdAt: 0,
    headers: noHeaders,
    payload: new Uint8Array(bytes),
    deleted: false,
  })
  const sizes = (...bytes: ReadonlyArray<number>) =>
    [...pieces(bytes.map((size, i) => message(size, i + 1)))].map((piece) => piece.map(({ offset }) => offset))
  const big = 3 * 1024 * 1024
  expect(sizes()).toEqual([])
  expect(sizes(1, 2, 3)).toEqual([[1, 2, 3]])
  expect(sizes(big, 1, big, big, 1, 1)).toEqual([[1], [2], [3], [4], [5, 6]])
})
