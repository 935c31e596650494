/**
 * Batches on the wire hold what went in, in order, and no batch is larger than it may be.
 */
import { expect, it, vi } from "@effect/vitest"
import { fromBinary, toBinary } from "@bufbuild/protobuf"
import * as fc from "fast-check"
import { type Message, makeHeaders, noPayload } from "../../../src/domain/Message.ts"
import * as codec from "../../../src/protocol/grpc/codec/codec.ts"
import { MessageBatchSchema } from "../../../src/protocol/grpc/gen/millrace/v1/topics_pb.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

const origins = [
  { tenant: "t", line: "l", device: "1" },
  { tenant: "t", line: "l", device: "2" },
]

const message: fc.Arbitrary<Message> = fc
  .record({
    topic: fc.constantFrom("a", "a/b", "grüße"),
    origin: fc.constantFrom(...origins),
    offset: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    position: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    id: fc.uuid(),
    createdAt: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    headers: fc
      .dictionary(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), { maxKeys: 3 })
      .map(makeHeaders),
    payload: fc.uint8Array({ maxLength: 100 }),
    deleted: fc.boolean(),
  })
  .map((message) => (message.deleted ? { ...message, payload: noPayload, headers: makeHeaders({}) } : message))

const overTheWire = (messages: ReadonlyArray<Message>) =>
  codec
    .batches(messages)
    .flatMap((batch) => codec.messages(fromBinary(MessageBatchSchema, toBinary(MessageBatchSchema, batch))))

it("messages come out of their batches as they went in", () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 40 }), (messages) => {
      expect(overTheWire(messages)).toEqual(messages)
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
  const batches = codec.batches(messages)
  expect(batches.flatMap((batch) => codec.messages(batch)).map(({ offset }) => offset)).toEqual(
    messages.map(({ offset }) => offset),
  )
  for (const batch of batches) {
    const bytes = toBinary(MessageBatchSchema, batch).byteLength
    if (batch.messages.length > 1) expect(bytes).toBeLessThan(codec.batchBytesMax * 1.1)
  }
  expect(batches.length).toBeLessThan(12)
})

it("a batch that names no log for a message is refused", () => {
  const [batch] = codec.batches([])
  expect(batch).toBeUndefined()
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
