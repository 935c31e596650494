/**
 * msgbus.v1 as its clients and peers rely on it, seen by a client that shares nothing with ours.
 */
import { expect, it, vi } from "@effect/vitest"
import { status } from "@grpc/grpc-js"
import { Deferred, Effect, Logger, Queue, Schedule, Stream } from "effect"
import { CursorInvalid, OutcomeUnknown, StorageFailed } from "../../src/domain/errors.ts"
import type { RestartableNode } from "../protocol/grpc/TestNode.ts"
import * as MsgbusClient from "./MsgbusClient.ts"
import { empty, open, other, own } from "./MsgbusNode.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

/** Publishes the numbers from 1 to `count`. */
const fill = (node: RestartableNode, topic: string, count: number) =>
  Effect.forEach(
    Array.from({ length: Math.ceil(count / 1000) }, (_, i) => i * 1000),
    (from) =>
      node
        .topics()
        .publishAll(
          Array.from({ length: Math.min(1000, count - from) }, (_, i) => ({ topic, payload: `${from + i + 1}` })),
        ),
    { discard: true },
  )

it("the contract has its thirteen methods", () => {
  expect(MsgbusClient.methodNames).toEqual([
    "Publish",
    "Fetch",
    "Subscribe",
    "GetHead",
    "ListHeads",
    "ListPeerSyncStates",
    "DeleteRange",
    "EnqueueFifo",
    "PeekFifo",
    "AckFifo",
    "RejectFifo",
    "Health",
    "Ready",
  ])
})

it.live("Publish stores for the node itself and answers the whole message", () =>
  Effect.gen(function* () {
    const { client } = yield* open()
    const request = { topic: "a/b", payload: Buffer.from([0, 255, 10]), headers: { kind: "x", empty: "" } }
    for (const [i, origin] of [undefined, empty, own].entries()) {
      const { message } = yield* client.call("Publish", { ...request, origin })
      expect(message).toMatchObject({ ...request, origin: own, head_id: `${i + 1}`, deleted: false })
      expect(message!.id).toMatch(/^[0-9a-f-]{36}$/)
      expect(Math.abs(Number(message!.created_at_ms) - Date.now())).toBeLessThan(60_000)
    }
    const { message } = yield* client.call("Publish", { topic: "a/b" })
    expect(message).toMatchObject({ head_id: "4", payload: Buffer.alloc(0), headers: {} })
  }),
)

it.live("writes that are not the caller's are PERMISSION_DENIED", () =>
  Effect.gen(function* () {
    const { client } = yield* open()
    const denied = [
      ["Publish", { topic: "a", origin: other }],
      ["DeleteRange", { topic: "a", origin: other, from_head_id: 1, to_head_id: 1 }],
      ["Publish", { topic: "$msgbus.delete" }],
      ["DeleteRange", { topic: "$msgbus.delete", from_head_id: 1, to_head_id: 1 }],
      ["Publish", { topic: "$anything" }],
    ] as const
    for (const [method, request] of denied) {
      expect(yield* Effect.flip(client.call(method, request))).toMatchObject({ code: status.PERMISSION_DENIED })
    }
    expect(yield* client.call("ListHeads")).toEqual({ heads: [] })
  }),
)

it.live("what can never be right is INVALID_ARGUMENT, with a sentence that says what", () =>
  Effect.gen(function* () {
    const { client } = yield* open()
    const unary = ["Publish", "GetHead", "DeleteRange"]
    const streams = ["Fetch", "Subscribe"]
    const range = { from_head_id: 1, to_head_id: 1 }
    const failure = (method: string, request: object): Effect.Effect<MsgbusClient.Failure, unknown> =>
      unary.includes(method)
        ? Effect.flip(client.call(method, { ...(method === "DeleteRange" ? range : {}), ...request }))
        : Effect.flip(client.all(method, request))
    for (const method of [...unary, ...streams]) {
      for (const topic of ["", "  ", "a\0b", "a/+", "a/#", "#", "x".repeat(1025)]) {
        const { code, details } = yield* failure(method, { topic })
        expect([method, topic, code]).toEqual([method, topic, status.INVALID_ARGUMENT])
        expect(details).toMatch(/^a topic /)
      }
      for (const origin of [
        { ...own, device_id: "" },
        { ...empty, bl_name: "l" },
        { ...own, tenant_id: "a\0" },
        { ...empty, tenant_id: " " },
      ]) {
        expect(yield* failure(method, { topic: "a", origin })).toMatchObject({ code: status.INVALID_ARGUMENT })
      }
    }
    const ranges = [
      { from_head_id: 0, to_head_id: 1 },
      { from_head_id: 2, to_head_id: 1 },
      { from_head_id: 0, to_head_id: 0 },
      { from_head_id: 1, to_head_id: "9007199254740992" },
    ]
    for (const range of ranges) {
      expect(yield* failure("DeleteRange", { topic: "a", ...range })).toMatchObject({ code: status.INVALID_ARGUMENT })
    }
    for (const method of streams) {
      for (const from_head_id of ["9007199254740992", "18446744073709551615"]) {
        expect(yield* failure(method, { topic: "a", from_head_id })).toMatchObject({ code: status.INVALID_ARGUMENT })
      }
    }
  }),
)

it.live(
  "a message over the limit is RESOURCE_EXHAUSTED, whichever limit it meets first, and the connection goes on",
  () =>
    Effect.gen(function* () {
      const { client } = yield* open({ maxMessageBytes: 3_670_016 })
      for (const bytes of [3_670_016, 4 * 1024 * 1024, 6 * 1024 * 1024]) {
        const failure = yield* Effect.flip(client.call("Publish", { topic: "a", payload: Buffer.alloc(bytes) }))
        expect(failure).toMatchObject({ code: status.RESOURCE_EXHAUSTED })
      }
      const { message } = yield* client.call("Publish", { topic: "a", payload: Buffer.alloc(3_670_015) })
      expect(message).toMatchObject({ head_id: "1" })
      const [fetched] = yield* client.all("Fetch", { topic: "a" })
      expect(fetched!.message!.payload).toHaveLength(3_670_015)
    }),
)

it.live("Fetch gives 100 from 1 on by default, at most 10,000, and one log only", () =>
  Effect.gen(function* () {
    const { node, client } = yield* open()
    yield* fill(node, "a", 10_500)
    yield* fill(node, "b", 3)
    const ids = (answers: ReadonlyArray<MsgbusClient.Answer>) => answers.map(({ message }) => Number(message!.head_id))
    const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
    expect(ids(yield* client.all("Fetch", { topic: "a" }))).toEqual(range(1, 100))
    expect(ids(yield* client.all("Fetch", { topic: "a", from_head_id: 0, limit: 0, origin: own }))).toEqual(
      range(1, 100),
    )
    expect(ids(yield* client.all("Fetch", { topic: "a", from_head_id: 10_498, limit: 50 }))).toEqual(
      range(10_498, 10_500),
    )
    expect(ids(yield* client.all("Fetch", { topic: "a", limit: 4_000_000_000 }))).toEqual(range(1, 10_000))
    expect(ids(yield* client.all("Fetch", { topic: "b", limit: 2 }))).toEqual([1, 2])
    expect(yield* client.all("Fetch", { topic: "a", from_head_id: 10_501 })).toEqual([])
    expect(yield* client.all("Fetch", { topic: "a", from_head_id: "9007199254740991" })).toEqual([])
    expect(yield* client.all("Fetch", { topic: "a", origin: other })).toEqual([])
    expect(yield* client.all("Fetch", { topic: "nothing" })).toEqual([])
  }),
)

it.live("Fetch of large messages comes page by page, however many they are", () =>
  Effect.gen(function* () {
    const { node, client } = yield* open()
    const payload = new Uint8Array(1_000_000)
    yield* Effect.forEach(Array.from({ length: 20 }), () => node.topics().publish("large", payload), { discard: true })
    expect(yield* client.all("Fetch", { topic: "large", limit: 20 })).toHaveLength(20)
  }),
)

it.live("GetHead and ListHeads tell where logs end", () =>
  Effect.gen(function* () {
    const { node, client } = yield* open()
    expect(yield* client.call("GetHead", { topic: "a" })).toEqual({ head_id: "0", found: false })
    yield* fill(node, "b", 2)
    yield* fill(node, "a", 3)
    expect(yield* client.call("GetHead", { topic: "a" })).toEqual({ head_id: "3", found: true })
    expect(yield* client.call("GetHead", { topic: "a", origin: other })).toEqual({ head_id: "0", found: false })
    expect(yield* client.call("ListHeads")).toEqual({
      heads: [
        { topic: "a", origin: own, head_id: "3" },
        { topic: "b", origin: own, head_id: "2" },
      ],
    })
    expect(yield* client.call("ListPeerSyncStates")).toEqual({ states: [] })
  }),
)

it.live("DeleteRange marks, keeps the places, and appends its marker", () =>
  Effect.gen(function* () {
    const { node, client } = yield* open()
    yield* fill(node, "a", 5)
    const remove = (from_head_id: number, to_head_id: number) =>
      client.call("DeleteRange", { topic: "a", from_head_id, to_head_id })
    expect(yield* remove(2, 3)).toEqual({ deleted_count: "2" })
    expect(yield* remove(3, 9)).toEqual({ deleted_count: "2" })
    expect(yield* remove(7, 9)).toEqual({ deleted_count: "0" })
    const left = yield* client.all("Fetch", { topic: "a" })
    expect(left.map(({ message }) => message!.deleted)).toEqual([false, true, true, true, true])
    expect(yield* client.call("GetHead", { topic: "a" })).toEqual({ head_id: "5", found: true })
    const [marker] = yield* client.all("Fetch", { topic: "$msgbus.delete" })
    expect(JSON.parse(marker!.message!.payload.toString())).toEqual({
      topic: "a",
      origin: own,
      from_head_id: 2,
      to_head_id: 3,
      created_at_ms: Number(marker!.message!.created_at_ms),
    })
  }),
)

it.live("Health and Ready tell that the node serves, and which it is", () =>
  Effect.gen(function* () {
    const { client } = yield* open()
    expect(yield* client.call("Health")).toEqual({ status: "SERVING", node: own })
    expect(yield* client.call("Ready")).toEqual({ ready: true, status: "READY", error: "", node: own })
  }),
)

it.live("storage failures are INTERNAL, NOT_READY, and for a subscription UNAVAILABLE", () =>
  Effect.gen(function* () {
    const failure = new StorageFailed({ operation: "write", message: "the disk is full" })
    const { client } = yield* open({
      decorate: (topics) => ({
        ...topics,
        publish: (topic) =>
          topic === "unknown"
            ? Effect.fail(new OutcomeUnknown({ operation: "publish", message: "who knows" }))
            : topic === "defect"
              ? Effect.die(new Error("secret"))
              : Effect.fail(failure),
        fetch: () => Effect.fail(failure),
        head: () => Effect.fail(failure),
        heads: Effect.fail(failure),
        deleteRange: () => Effect.fail(failure),
        check: Effect.fail(failure),
        subscribe: (topic) =>
          topic === "cursor" ? Stream.fail(new CursorInvalid({ message: "another store" })) : Stream.fail(failure),
      }),
    })
    const internal = { code: status.INTERNAL, details: "the disk is full" }
    expect(yield* Effect.flip(client.call("Publish", { topic: "a" }))).toEqual(internal)
    expect(yield* Effect.flip(client.call("Publish", { topic: "unknown" }))).toMatchObject({ code: status.INTERNAL })
    const defect = yield* Effect.flip(client.call("Publish", { topic: "defect" }))
    expect(defect.code).toBe(status.INTERNAL)
    expect(defect.details).not.toContain("secret")
    expect(yield* Effect.flip(client.all("Fetch", { topic: "a" }))).toEqual(internal)
    expect(yield* Effect.flip(client.call("GetHead", { topic: "a" }))).toEqual(internal)
    expect(yield* Effect.flip(client.call("ListHeads"))).toEqual(internal)
    const range = { topic: "a", from_head_id: 1, to_head_id: 1 }
    expect(yield* Effect.flip(client.call("DeleteRange", range))).toEqual(internal)
    expect(yield* Effect.flip(client.all("Subscribe", { topic: "a" }))).toMatchObject({ code: status.UNAVAILABLE })
    expect(yield* client.call("Health")).toMatchObject({ status: "SERVING" })
    expect(yield* client.call("Ready")).toMatchObject({ ready: false, status: "NOT_READY", error: "the disk is full" })
    // The defect is logged at the node, which is right, and of no interest here.
  }).pipe(Effect.provide(Logger.layer([]))),
)

it.live("when there is no room before the deadline: RESOURCE_EXHAUSTED, and nothing stored", () =>
  Effect.gen(function* () {
    const gate = yield* Deferred.make<void>()
    const { node, client } = yield* open({
      drain: 0,
      decorate: (topics) => ({
        ...topics,
        publish: (topic, payload, options) =>
          Effect.andThen(Deferred.await(gate), topics.publish(topic, payload, options)),
      }),
    })
    const payload = Buffer.alloc(3_600_000)
    // More than 64 MiB wait to be stored.
    yield* Effect.forEach(
      Array.from({ length: 19 }),
      () => Effect.forkScoped(client.call("Publish", { topic: "a", payload }), { startImmediately: true }),
      { discard: true },
    )
    const failure = yield* Effect.flip(client.call("Publish", { topic: "late", payload }, 5000))
    expect(failure).toMatchObject({ code: status.RESOURCE_EXHAUSTED })
    yield* Deferred.succeed(gate, undefined)
    expect((yield* client.call("Publish", { topic: "late", payload })).message).toMatchObject({ head_id: "1" })
    expect(yield* node.topics().head("late")).toMatchObject({ value: 1 })
  }),
)

it.live(
  "Subscribe replays all of 100,000 messages whatever replay_limit says, then goes live without a gap",
  () =>
    Effect.gen(function* () {
      const { node, client } = yield* open()
      const count = 100_000
      yield* fill(node, "a", count)
      const { answers } = yield* client.open("Subscribe", { topic: "a", from_head_id: 0, replay_limit: 10 })
      let next = 1
      const take = Effect.fnUntraced(function* (to: number) {
        while (next <= to) {
          for (const { message } of yield* Queue.takeAll(answers)) {
            if (message!.head_id !== `${next}` || message!.payload.toString() !== `${next}`) {
              throw new Error(`${message!.head_id} came where ${next} was due`)
            }
            next++
          }
        }
      })
      // The log grows while it is replayed …
      yield* take(1000)
      yield* Effect.forkScoped(
        Effect.forEach(
          Array.from({ length: 500 }, (_, i) => count + i + 1),
          (i) => node.topics().publish("a", `${i}`),
          { discard: true },
        ),
      )
      yield* take(count + 500)
      // … and afterwards.
      yield* client.call("Publish", { topic: "b", payload: Buffer.from("not asked for") })
      yield* client.call("Publish", { topic: "a", payload: Buffer.from(`${count + 501}`) })
      yield* take(count + 501)
    }),
  60_000,
)

it.live("Subscribe begins where it is told, also ahead of the head, and follows one log only", () =>
  Effect.gen(function* () {
    const { node, client } = yield* open()
    yield* fill(node, "a", 5)
    const late = yield* client.open("Subscribe", { topic: "a", from_head_id: 4, origin: empty, replay_limit: 1 })
    const future = yield* client.open("Subscribe", { topic: "a", from_head_id: 8, origin: own })
    const foreign = yield* client.open("Subscribe", { topic: "a", origin: other })
    const ids = (answers: ReadonlyArray<MsgbusClient.Answer>) => answers.map(({ message }) => message!.head_id)
    expect(ids(yield* Queue.takeN(late.answers, 2))).toEqual(["4", "5"])
    yield* fill(node, "a", 5)
    expect(ids(yield* Queue.takeN(late.answers, 5))).toEqual(["6", "7", "8", "9", "10"])
    expect(ids(yield* Queue.takeN(future.answers, 3))).toEqual(["8", "9", "10"])
    expect(yield* Queue.size(foreign.answers)).toBe(0)
  }),
)

it.live("a subscription ends with UNAVAILABLE when the node closes, and is had again when it is back", () =>
  Effect.gen(function* () {
    const { node, client } = yield* open()
    yield* fill(node, "a", 2)
    const first = yield* client.open("Subscribe", { topic: "a" })
    yield* Queue.takeN(first.answers, 2)
    yield* node.stop
    expect(yield* Effect.flip(Queue.take(first.answers))).toMatchObject({ code: status.UNAVAILABLE })
    yield* node.start
    const again = yield* Effect.retry(client.all("Fetch", { topic: "a" }), Schedule.spaced("20 millis"))
    expect(again).toHaveLength(2)
    const second = yield* client.open("Subscribe", { topic: "a", from_head_id: 3 })
    yield* node.topics().publish("a", "3")
    expect(yield* Queue.take(second.answers)).toMatchObject({ message: { head_id: "3" } })
  }),
)
