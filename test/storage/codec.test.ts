/** Batches and pages survive being packed. */
import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { makeHeaders, type Message, noHeaders, noPayload } from "../../src/domain/Message.ts"
import type { Draft, ReplicatedMessage } from "../../src/storage/LogStore.ts"
import {
  packDrafts,
  packMessages,
  packReplicas,
  unpackDrafts,
  unpackMessages,
  unpackReplicas,
} from "../../src/storage/worker/Codec.ts"

/** Any text that UTF-8 can say: most of it short, some beyond ASCII and beyond the basic plane, NUL included. */
const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constantFrom("", "\0", "ü€😀", "__proto__"))
const bytes = fc.oneof(fc.constant(new Uint8Array(0)), fc.uint8Array({ maxLength: 300 }))
const headers = fc.option(fc.dictionary(text, text, { maxKeys: 4 }), { nil: undefined }).map(makeHeaders)
const offset = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const origin = fc.record({ tenant: text, line: text, device: text })

const content = { id: text, createdAt: fc.integer(), headers, payload: bytes }

const draft: fc.Arbitrary<Draft> = fc.record({
  topic: fc.constantFrom("a", "b", "größe/日本", ""),
  ...content,
  key: fc.option(text, { nil: undefined }),
})

const log = fc.record({ topic: text, origin })

const messages: fc.Arbitrary<ReadonlyArray<Message>> = fc.array(log, { minLength: 1, maxLength: 3 }).chain((logs) =>
  fc.array(
    fc
      .record({ log: fc.constantFrom(...logs), ...content, offset, position: offset, deleted: fc.boolean() })
      .map(({ log, ...rest }) => ({ ...rest, topic: log.topic, origin: log.origin })),
    { maxLength: 12 },
  ),
)

const replica: fc.Arbitrary<ReplicatedMessage> = fc.record({ ...content, offset, deleted: fc.boolean() })

describe("a packed batch", () => {
  it("of drafts gives the drafts again, request by request", () => {
    fc.assert(
      fc.property(fc.array(fc.array(draft, { maxLength: 5 }), { maxLength: 5 }), (requests) => {
        expect(unpackDrafts(packDrafts(requests))).toEqual(requests)
      }),
      { numRuns: 500 },
    )
  })

  it("of messages gives the messages again, whatever logs they are of", () => {
    fc.assert(
      fc.property(messages, (page) => {
        expect(unpackMessages(packMessages(page))).toEqual(page)
      }),
      { numRuns: 500 },
    )
  })

  it("of another node's messages gives the messages again", () => {
    fc.assert(
      fc.property(fc.array(replica, { maxLength: 8 }), (batch) => {
        const withoutDeleted = batch.map((one) =>
          one.deleted ? { ...one, headers: noHeaders, payload: noPayload } : one,
        )
        expect(unpackReplicas(packReplicas(batch))).toEqual(withoutDeleted)
      }),
      { numRuns: 500 },
    )
  })

  it("of messages that follow one another says so", () => {
    const at = (offset: number) => ({
      offset,
      id: "",
      createdAt: 1,
      headers: noHeaders,
      payload: noPayload,
      deleted: false,
    })
    expect(packReplicas([at(7), at(8), at(9)])).toMatchObject({ first: 7, offsets: undefined })
    for (const batch of [
      [at(7), at(9)],
      [at(7), at(7)],
      [at(7), at(6)],
    ]) {
      expect(packReplicas(batch).first).toBeUndefined()
    }
  })

  it("keeps headers without a prototype", () => {
    const headers = makeHeaders(JSON.parse('{"__proto__":"p","constructor":"c"}'))
    const [[one] = []] = unpackDrafts(
      packDrafts([[{ topic: "t", id: "1", createdAt: 1, headers, payload: new Uint8Array(1), key: undefined }]]),
    )
    expect(Object.getPrototypeOf(one!.headers)).toBe(null)
    expect(Object.keys(one!.headers).toSorted()).toEqual(["__proto__", "constructor"])
  })

  it("copies the payloads' bytes, whatever buffer they are a view of", () => {
    const large = Buffer.from("....payload....")
    const payload = large.subarray(4, 11)
    const packed = packReplicas([
      { offset: 1, id: "1", createdAt: 1, headers: makeHeaders(undefined), payload, deleted: false },
    ])
    large.fill(0)
    expect(Buffer.from(unpackReplicas(packed)[0]!.payload).toString()).toBe("payload")
  })
})
