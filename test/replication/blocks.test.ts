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
import { resealed, sealed } from "../support/sealed.ts"
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

/** What a peer gives instead of three true messages, and what is said of it. */
type Wrong = readonly [what: string, blocks: PeerRun["blocks"], says: RegExp]

const truth = (change: Partial<ReplicatedMessage> = {}): PeerRun["blocks"] =>
  encodeReplicas(
    [1, 2, 3].map((offset) => ({
      offset,
      id: `id ${offset}`,
      createdAt: offset,
      headers: makeHeaders({ number: `${offset}` }),
      payload: Buffer.from(`message ${offset}`),
      deleted: false,
      ...change,
    })),
  )

/** The block with other bytes, and a checksum that fits. */
const forged = (change: (bytes: Buffer) => void): PeerRun["blocks"] =>
  truth().map((block) => ({ ...block, content: resealed(block.content, change) }))

const cut = (change: (bytes: Uint8Array) => Uint8Array): PeerRun["blocks"] =>
  truth().map((block) => ({ ...block, content: sealed(change(block.content)) }))

const noBlock = /the block at offset 1 cannot be taken/
const noIdOrTime = /an id or a time that cannot be/

describe("a block that a peer gives", () => {
  const [version, flags, reserved, count] = [4, 5, 6, 8]
  it.each<Wrong>([
    ["has messages without ids", truth({ id: "" }), noIdOrTime],
    ["has an id without end", truth({ id: "i".repeat(256) }), noIdOrTime],
    ["has half of a character as id", truth({ id: "\ud83e" }), noIdOrTime],
    ["has a time that is no number", truth({ createdAt: Number.NaN }), noIdOrTime],
    ["has a time before 1970", truth({ createdAt: -1 }), noIdOrTime],
    ["has a time between two milliseconds", truth({ createdAt: 0.5 }), noIdOrTime],
    ["has a time beyond all numbers", truth({ createdAt: 2 ** 53 }), noIdOrTime],
    [
      "has a message that is too large",
      truth({ payload: new Uint8Array(2 * 1024 * 1024) }),
      /at most 1048576 are taken/,
    ],
    ["has more messages than were asked for", Array.from({ length: 2000 }, () => truth()).flat(), /were asked for/],
    ["has more messages than a block", [{ messages: 2000, content: new Uint8Array(100) }], noBlock],
    ["has fewer messages than it says", truth().map((block) => ({ ...block, messages: 4 })), noBlock],
    [
      "has 4 billion messages in a few bytes",
      forged((bytes) => {
        bytes.writeUInt8(0, flags)
        bytes.writeUInt32LE(2 ** 32 - 1, count)
      }),
      noBlock,
    ],
    ["is of another layout", forged((bytes) => bytes.writeUInt8(2, version)), noBlock],
    ["has flags that nobody knows", forged((bytes) => bytes.writeUInt8(0xff, flags)), noBlock],
    ["says what nobody knows", forged((bytes) => bytes.writeUInt16LE(1, reserved)), noBlock],
    ["is empty", cut((bytes) => bytes.subarray(0, 0)), noBlock],
    ["has 3 bytes", cut((bytes) => bytes.subarray(0, 3)), noBlock],
    ["ends before its columns", cut((bytes) => bytes.subarray(0, 11)), noBlock],
    ["ends too early", cut((bytes) => bytes.subarray(0, -1)), noBlock],
    ["goes on behind its end", cut((bytes) => Buffer.concat([bytes, Buffer.from("x")])), noBlock],
    [
      "has headers that are none",
      forged((bytes) => bytes.write("{", bytes.indexOf('[["number"'))),
      /headers that cannot be/,
    ],
    [
      "has a header that is a number",
      forged((bytes) => {
        const at = bytes.indexOf('"]]')
        bytes.write(" ", at - 2)
        bytes.write(" ", at)
      }),
      /headers that cannot be/,
    ],
  ])("and that %s is refused", (_, blocks, says) => {
    const problem = vet(asked(1, 5000), { first: 1, blocks })
    expect(problem).toMatchObject({ _tag: "PeerMisbehaved", message: expect.stringMatching(says) })
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
