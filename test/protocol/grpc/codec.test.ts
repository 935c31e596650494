/**
 * Batches on the wire hold what went in, in order, and no batch is larger than it may be.
 */
import { expect, it, vi } from "@effect/vitest"
import { fromBinary } from "@bufbuild/protobuf"
import * as fc from "fast-check"
import { type Message, makeHeaders, noPayload } from "../../../src/domain/Message.ts"
import * as codec from "../../../src/protocol/grpc/codec/codec.ts"
import { type BatchAnswer, batchBytesMax, messageBatches } from "../../../src/protocol/grpc/codec/messageBatches.ts"
import {
  FetchResponseSchema,
  type MessageBatch,
  SubscribeResponseSchema,
} from "../../../src/protocol/grpc/gen/millrace/v1/topics_pb.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

const origins = [
  { tenant: "t", line: "l", device: "1" },
  { tenant: "t", line: "l", device: "2" },
]

const message: fc.Arbitrary<Message> = fc
  .record({
    topic: fc.constantFrom("a", "a/b", "grüße", "long/".repeat(60)),
    origin: fc.constantFrom(...origins),
    offset: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    position: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    id: fc.oneof(fc.uuid(), fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 })),
    createdAt: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    headers: fc
      .dictionary(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), { maxKeys: 3 })
      .map(makeHeaders),
    payload: fc.uint8Array({ maxLength: 100 }),
    deleted: fc.boolean(),
  })
  .map((message) => (message.deleted ? { ...message, payload: noPayload, headers: makeHeaders({}) } : message))

/** What the protobuf library makes of a batch's bytes. */
const decoded = (answer: BatchAnswer, bytes: Uint8Array): MessageBatch | undefined => {
  if (answer === "fetch") return fromBinary(FetchResponseSchema, bytes).messages
  const { event } = fromBinary(SubscribeResponseSchema, bytes)
  if (event.case !== "batch") throw new Error(`not a batch: ${event.case}`)
  const { messages, position } = event.value
  expect(position).toBe(messages?.messages.at(-1)?.position)
  return messages
}

const overTheWire = (answer: BatchAnswer, messages: ReadonlyArray<Message>) =>
  messageBatches(answer, messages).flatMap((batch) => codec.messages(decoded(answer, new Uint8Array(batch.encode()))))

it.each<BatchAnswer>(["subscribe", "fetch"])("messages come out of their batches as they went in: %s", (answer) => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 40 }), (messages) => {
      expect(overTheWire(answer, messages)).toEqual(messages)
    }),
  )
})

it("a batch lists each log once", () => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 40 }), (messages) => {
      const [batch] = messageBatches("subscribe", messages)
      const logs = decoded("subscribe", batch!.encode())!.logs.map(({ origin, topic }) => [topic, origin?.device])
      expect(new Set(logs.map((log) => JSON.stringify(log))).size).toBe(logs.length)
    }),
  )
})

it("batches are split by bytes, and a message that is larger than a batch goes alone", () => {
  const one = (bytes: number, i: number): Message => ({
    topic: "a",
    origin: origins[0]!,
    offset: i + 1,
    position: i + 1,
    id: "id",
    createdAt: 0,
    headers: makeHeaders({}),
    payload: new Uint8Array(bytes),
    deleted: false,
  })
  const sizes = [10, 3_000_000, 10, 200_000, 200_000, 10, ...Array.from({ length: 5000 }, () => 100)]
  const messages = sizes.map(one)
  const batches = messageBatches("subscribe", messages)
  expect(batches.flatMap((batch) => batch.messages)).toEqual(messages)
  for (const batch of batches) {
    const { byteLength } = batch.encode()
    if (batch.messages.length > 1) expect(byteLength).toBeLessThan(batchBytesMax * 1.1)
  }
  expect(batches.length).toBeLessThan(12)
})

it("a batch that names no log for a message is refused", () => {
  expect(messageBatches("fetch", [])).toEqual([])
  expect(() =>
    codec.messages({
      $typeName: "millrace.v1.MessageBatch",
      logs: [],
      messages: [
        {
          $typeName: "millrace.v1.Message",
          log: 0,
          offset: 1n,
          position: 1n,
          id: "",
          createdAtMs: 0n,
          payload: noPayload,
          headers: {},
          deleted: false,
        },
      ],
    }),
  ).toThrow("its batch does not name")
})

it("a batch whose payloads were set free is not sent without them", () => {
  const payload = new Uint8Array(10)
  const message: Message = {
    topic: "a",
    origin: origins[0]!,
    offset: 1,
    position: 1,
    id: "id",
    createdAt: 0,
    headers: makeHeaders({}),
    payload,
    deleted: false,
  }
  const [batch] = messageBatches("subscribe", [message])
  payload.buffer.transfer(0)
  expect(() => batch!.encode()).toThrow("set free")
})
