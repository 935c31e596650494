/** What travels between peers in bulk: what goes in comes out, and what is nonsense is refused before any of it is stored. */
import { describe, expect, it } from "@effect/vitest"
import { create, fromBinary, toBinary } from "@bufbuild/protobuf"
import { Effect } from "effect"
import * as fc from "fast-check"
import type { LogHead } from "../../src/domain/LogId.ts"
import { makeHeaders, noHeaders, noPayload } from "../../src/domain/Message.ts"
import { HeadBatchSchema, SyncServiceFetchResponseSchema } from "../../src/protocol/grpc/gen/millrace/v1/sync_pb.ts"
import { headBatches, headsOf } from "../../src/protocol/grpc/sync/headBatches.ts"
import { answersOf, RunCollector } from "../../src/protocol/grpc/sync/logBlocks.ts"
import type { PeerRun } from "../../src/replication/index.ts"
import { Run } from "../../src/replication/internal/Run.ts"
import { type Asked, vet } from "../../src/replication/internal/vetting.ts"
import type { ReplicatedMessage } from "../../src/storage/LogStore.ts"
import { encodeReplicas } from "../../src/storage/parts/ReplicaBlocks.ts"
import { contentOf } from "../../src/testing/storage/fixtures.ts"
import { resealed } from "../support/sealed.ts"
import { idOf, makeNode } from "./nodes.ts"

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

const messagesFrom = (first: fc.Arbitrary<number>, minLength: number): fc.Arbitrary<ReadonlyArray<ReplicatedMessage>> =>
  fc.tuple(first, fc.array(content, { minLength, maxLength: 20 })).map(([from, contents]) =>
    contents.map((one, i) => ({
      ...one,
      ...(one.deleted ? { headers: noHeaders, payload: noPayload } : {}),
      offset: from + i,
    })),
  )

const asked = (from: number, limit = 100): Asked => ({ log, from, limit, messageBytesMax: 1024 * 1024 })

/** What a run is when it has come over the wire. */
const sent = ({ blocks, first }: PeerRun): PeerRun => {
  const collected = new RunCollector(first)
  for (const answer of answersOf(first, blocks)) {
    collected.add(fromBinary(SyncServiceFetchResponseSchema, Buffer.from(answer.encode())))
  }
  return collected.run
}

describe("a run of blocks", () => {
  it("comes out as it went in", () => {
    fc.assert(
      fc.property(messagesFrom(fc.integer({ min: 1, max: 2 ** 53 - 1000 }), 0), (messages) => {
        const first = messages[0]?.offset ?? 1
        const run = vet(asked(first), sent({ first, blocks: encodeReplicas(messages) }))
        if (!(run instanceof Run)) throw run
        expect(run.messages().map(contentOf)).toEqual(messages.map(contentOf))
        expect(run).toMatchObject({ first, count: messages.length, last: first + messages.length - 1 })
        if (messages.length === 0) return
        expect(contentOf(run.firstMessage())).toEqual(contentOf(messages[0]!))
        expect(contentOf(run.lastMessage())).toEqual(contentOf(messages.at(-1)!))
        const rest = run.withoutFirst()
        expect(rest.messages().map(contentOf)).toEqual(messages.slice(1).map(contentOf))
        expect(rest.first).toBe(first + 1)
      }),
    )
  })

  it("is written as the contract says", () => {
    const blocks = encodeReplicas([
      { offset: 7, id: "a", createdAt: 1, headers: noHeaders, payload: Buffer.from("one"), deleted: false },
    ])
    const written = create(SyncServiceFetchResponseSchema, { block: { first: 7n, ...counted(blocks[0]!) } })
    const expected = toBinary(SyncServiceFetchResponseSchema, written)
    const [answer] = answersOf(7, blocks)
    expect(fromBinary(SyncServiceFetchResponseSchema, Uint8Array.from(answer!.encode()))).toEqual(
      fromBinary(SyncServiceFetchResponseSchema, expected),
    )
  })

  it("whose bytes are changed is refused, or is stored and read again as it says", async () => {
    let taken = 0
    await fc.assert(
      fc.asyncProperty(
        messagesFrom(fc.constant(1), 1),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 3 }),
        (messages, changes) =>
          Effect.runPromise(
            Effect.scoped(
              Effect.gen(function* () {
                const blocks = encodeReplicas(messages).map((block) => ({
                  ...block,
                  content: resealed(block.content, (bytes) => {
                    for (const [at, value] of changes) bytes[at % bytes.byteLength] = value
                  }),
                }))
                const run = vet(asked(1), { first: 1, blocks })
                if (!(run instanceof Run)) return
                const { replica } = yield* makeNode("y")
                yield* replica.acceptBlocks(log, 1, run.blocks)
                const stored = yield* replica.read(log, 1, 100)
                expect(stored.map(contentOf)).toEqual(run.messages().map(contentOf))
                for (const { headers, id } of stored) {
                  expect(id.isWellFormed() && id.length > 0).toBe(true)
                  expect(
                    Object.entries(headers)
                      .flat()
                      .every((one) => typeof one === "string" && one.isWellFormed()),
                  ).toBe(true)
                }
                // And it can be sent on.
                const again = vet(asked(1), sent({ first: 1, blocks: yield* replica.readBlocks(log, 1, 100) }))
                expect(again).toBeInstanceOf(Run)
                taken++
              }),
            ),
          ),
      ),
      { numRuns: 300 },
    )
    expect(taken).toBeGreaterThan(20)
  })
})

const counted = ({ content, messages }: PeerRun["blocks"][number]) => ({
  count: messages,
  content: Uint8Array.from(content),
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
