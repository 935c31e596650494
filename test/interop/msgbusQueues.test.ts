/**
 * The queues of msgbus.v1 as its clients rely on them, seen by a client that shares nothing with ours.
 */
import { expect, it, vi } from "@effect/vitest"
import { status } from "@grpc/grpc-js"
import { Effect } from "effect"
import { empty, open, other, own } from "./MsgbusNode.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

it.live("EnqueueFifo, PeekFifo, AckFifo and RejectFifo: in order, and the front alone", () =>
  Effect.gen(function* () {
    const { client, node } = yield* open()
    const item = { queue: "q", topic: "work/größe", payload: Buffer.from([0, 255]), headers: { kind: "x" } }
    const { message: first } = yield* client.call("EnqueueFifo", { ...item, source: own, target: other })
    expect(first).toMatchObject({ ...item, source: own, target: other, sequence: "1", attempts: 0 })
    expect(first!.id).toMatch(/^[0-9a-f-]{36}$/)
    expect(Math.abs(Number(first!.created_at_ms) - Date.now())).toBeLessThan(60_000)
    const { message: second } = yield* client.call("EnqueueFifo", { ...item, source: empty, target: empty })
    expect(second).toMatchObject({ source: own, target: empty, sequence: "2" })

    const settle = (method: string, message_id: string) => client.call(method, { queue: "q", message_id })
    expect(yield* settle("AckFifo", second!.id)).toEqual({ accepted: false })
    expect(yield* settle("RejectFifo", second!.id)).toEqual({ accepted: false })
    for (let i = 0; i < 12; i++) expect(yield* settle("RejectFifo", first!.id)).toEqual({ accepted: true })
    yield* node.stop
    yield* node.start
    const { message: front } = yield* client.call("PeekFifo", { queue: "q" })
    expect(front).toEqual({ ...first, attempts: 12 })
    expect(yield* settle("AckFifo", first!.id)).toEqual({ accepted: true })
    expect(yield* settle("AckFifo", first!.id)).toEqual({ accepted: false })
    expect((yield* client.call("PeekFifo", { queue: "q" })).message).toEqual(second)
    expect(yield* settle("AckFifo", second!.id)).toEqual({ accepted: true })
    expect(yield* Effect.flip(client.call("PeekFifo", { queue: "q" }))).toMatchObject({ code: status.NOT_FOUND })
  }),
)

it.live("bad input to a queue is INVALID_ARGUMENT or PERMISSION_DENIED, and nothing is stored", () =>
  Effect.gen(function* () {
    const { client } = yield* open()
    const item = { queue: "q", topic: "t", source: own, target: other }
    const wrong: ReadonlyArray<readonly [string, object, status]> = [
      ["EnqueueFifo", { ...item, queue: " " }, status.INVALID_ARGUMENT],
      ["EnqueueFifo", { ...item, queue: "a\0" }, status.INVALID_ARGUMENT],
      ["EnqueueFifo", { ...item, topic: "" }, status.INVALID_ARGUMENT],
      ["EnqueueFifo", { ...item, target: undefined }, status.INVALID_ARGUMENT],
      ["EnqueueFifo", { ...item, target: { ...other, bl_name: "" } }, status.INVALID_ARGUMENT],
      ["EnqueueFifo", { ...item, source: { ...own, device_id: "" } }, status.INVALID_ARGUMENT],
      ["EnqueueFifo", { ...item, source: other }, status.PERMISSION_DENIED],
      ["EnqueueFifo", { ...item, topic: "$msgbus.delete" }, status.PERMISSION_DENIED],
      ["PeekFifo", { queue: "" }, status.INVALID_ARGUMENT],
      ["AckFifo", { queue: "q", message_id: "" }, status.INVALID_ARGUMENT],
      ["RejectFifo", { queue: "", message_id: "x" }, status.INVALID_ARGUMENT],
    ]
    for (const [method, request, code] of wrong) {
      expect(yield* Effect.flip(client.call(method, request)), `${method} ${JSON.stringify(request)}`).toMatchObject({
        code,
      })
    }
    expect(yield* Effect.flip(client.call("PeekFifo", { queue: "q" }))).toMatchObject({ code: status.NOT_FOUND })
  }),
)
