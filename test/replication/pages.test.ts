/** What travels between peers in bulk: what goes in comes out, and whatever comes in, no more is made of it than was asked for. */
import { describe, expect, it } from "@effect/vitest"
import { fromBinary, toBinary } from "@bufbuild/protobuf"
import * as fc from "fast-check"
import type { LogHead } from "../../src/domain/LogId.ts"
import { makeHeaders, type Message, noHeaders, noPayload } from "../../src/domain/Message.ts"
import { HeadBatchSchema, type LogPage, LogPageSchema } from "../../src/protocol/grpc/gen/millrace/v1/sync_pb.ts"
import { headBatches, headsOf } from "../../src/protocol/grpc/sync/headBatches.ts"
import { logPages, messagesOf } from "../../src/protocol/grpc/sync/logPages.ts"
import { idOf } from "./nodes.ts"

const log = { topic: "orders", origin: idOf("x") }

const content = fc.record({
  id: fc.oneof(fc.uuid(), fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" })),
  createdAt: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  headers: fc
    .option(fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { minKeys: 1 }), { nil: undefined })
    .map(makeHeaders),
  payload: fc.oneof(
    { weight: 9, arbitrary: fc.uint8Array({ maxLength: 50 }) },
    { weight: 1, arbitrary: fc.constant(new Uint8Array(100_000)) },
  ),
  deleted: fc.boolean(),
})

const stored = fc
  .tuple(fc.integer({ min: 1, max: 2 ** 53 - 1000 }), fc.array(content, { maxLength: 20 }))
  .map(([first, contents]) =>
    contents.map((one, i): Message => ({
      ...log,
      ...one,
      ...(one.deleted ? { headers: noHeaders, payload: noPayload } : {}),
      offset: first + i,
      position: i + 1,
    })),
  )

const sent = (page: LogPage): LogPage => fromBinary(LogPageSchema, toBinary(LogPageSchema, page))

const shown = ({ headers, payload, position: _, ...rest }: Partial<Message>) => ({
  ...rest,
  headers: { ...headers },
  payload: Buffer.from(payload!).toString("hex"),
})

describe("a page of a log", () => {
  it("comes out as it went in", () => {
    fc.assert(
      fc.property(stored, (messages) => {
        const got = logPages(messages).flatMap((page) => messagesOf(log, sent(page), messages.length))
        expect(got.map(shown)).toEqual(messages.map(shown))
      }),
    )
  })

  const pageOf = (ids: string, idLengths: Array<number>): LogPage => ({
    $typeName: "millrace.v1.LogPage",
    first: 1n,
    count: idLengths.length,
    ids,
    idLengths,
    createdAtMs: [1],
    payloads: new Uint8Array(),
    payloadLengths: [0],
    headers: [],
    deleted: [],
  })

  const anything = fc.record({
    first: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    count: fc.nat({ max: 40 }),
    ids: fc.string({ maxLength: 60, unit: "grapheme" }),
    idLengths: fc.array(fc.nat({ max: 9 }), { maxLength: 12 }),
    createdAtMs: fc.array(fc.double(), { maxLength: 12 }),
    payloads: fc.uint8Array({ maxLength: 60 }),
    payloadLengths: fc.array(fc.nat({ max: 9 }), { maxLength: 12 }),
    headers: fc.array(
      fc.record({
        $typeName: fc.constant("millrace.v1.PageHeaders" as const),
        index: fc.nat({ max: 20 }),
        headers: fc.dictionary(fc.string(), fc.string()),
      }),
      { maxLength: 3 },
    ),
    deleted: fc.array(fc.nat({ max: 20 }), { maxLength: 3 }),
  })
  /** What is wrong with a page: nothing, one of its fields, or two. */
  const wrongs: fc.Arbitrary<Partial<LogPage>> = fc
    .tuple(anything, fc.subarray(Object.keys(pageOf("", [])), { maxLength: 2 }))
    .map(([all, names]) => Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name))))

  it("that is nonsense gives no more than was asked for, or is refused", () => {
    let taken = 0
    fc.assert(
      fc.property(stored, wrongs, fc.nat({ max: 10 }), (messages, wrong, max) => {
        const page = { ...(logPages(messages)[0] ?? pageOf("", [])), ...wrong }
        let got: ReturnType<typeof messagesOf> = []
        try {
          got = messagesOf(log, page, max)
        } catch (error) {
          expect((error as Error).constructor).toBe(Error)
        }
        expect(got.length).toBeLessThanOrEqual(max)
        for (const { headers, id, payload } of got) {
          expect(id.isWellFormed() && id.length <= page.ids.length).toBe(true)
          expect(payload.byteLength).toBeLessThanOrEqual(page.payloads.byteLength)
          expect(Object.getPrototypeOf(headers)).toBe(null)
        }
        if (got.length > 0) taken++
      }),
      { numRuns: 500 },
    )
    expect(taken).toBeGreaterThan(10)
  })

  it.each([
    ["a billion messages that are not there", { ...pageOf("", [0]), count: 1_000_000_000 }],
    ["an id that ends within a character", pageOf("a🦔b", [2, 2])],
    ["ids that are longer than they are", pageOf("ab", [1, 2])],
    ["fewer times than messages", { ...pageOf("abc", [1, 1, 1]), createdAtMs: [1, 2] }],
    ["payloads that are not there", { ...pageOf("ab", [1, 1]), payloadLengths: [1] }],
    [
      "headers of a message that is not there",
      { ...pageOf("ab", [1, 1]), headers: [{ $typeName: "millrace.v1.PageHeaders" as const, index: 2, headers: {} }] },
    ],
    ["a tombstone that is not there", { ...pageOf("ab", [1, 1]), deleted: [2] }],
  ])("with %s is refused", (_, wrong) => {
    expect(() => messagesOf(log, wrong, 10)).toThrow(Error)
  })
})

describe("a list of heads", () => {
  const head = fc.record({
    topic: fc.string({ minLength: 1, maxLength: 1000 }),
    origin: fc.constantFrom(idOf("x"), idOf("y"), { tenant: "t", line: "l".repeat(255), device: "z" }),
    offset: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  })
  it("comes out as it went in, in answers of bounded size", () => {
    fc.assert(
      fc.property(fc.array(head, { maxLength: 30 }), fc.constantFrom(1, 40), (few, times) => {
        const heads: Array<LogHead> = Array.from({ length: times }, () => few).flat()
        const answers = headBatches(heads).map((batch) => toBinary(HeadBatchSchema, batch))
        expect(answers.flatMap((bytes) => headsOf(fromBinary(HeadBatchSchema, bytes)))).toEqual(heads)
        for (const bytes of answers) expect(bytes.byteLength).toBeLessThan(3 * 128 * 1024 + 8192)
      }),
      { numRuns: 30 },
    )
  })
})
