/** Peers over millrace.v1 that send too much, nonsense, or nothing: nothing grows, and who asked is told what is wrong. */
import { describe, expect, it, vi } from "@effect/vitest"
import { type DescMessage, type DescMethodServerStreaming, type MessageShape, toBinary } from "@bufbuild/protobuf"
import * as grpc from "@grpc/grpc-js"
import { Effect, Stream } from "effect"
import { type LogBlock, SyncService } from "../../src/protocol/grpc/gen/millrace/v1/sync_pb.ts"
import { makePeer } from "../../src/protocol/grpc/index.ts"
import { headsMax } from "../../src/protocol/grpc/sync/syncPeer.ts"
import { idOf } from "./nodes.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

const { method } = SyncService

type Streaming = typeof method.heads | typeof method.watchHeads | typeof method.fetch

/** Answers a call as long as it is listened to, and there are answers; where there is none at all it says nothing. */
interface Lie {
  readonly of: Streaming
  readonly answers: () => Iterator<Buffer>
}

const encoded = <O extends DescMessage>(output: O, answer: MessageShape<O>): Buffer =>
  Buffer.from(toBinary(output, answer))

/** The same answer again and again. */
const lie = <I extends DescMessage, O extends DescMessage>(
  of: DescMethodServerStreaming<I, O> & Streaming,
  answer: MessageShape<O>,
): Lie => {
  const bytes = encoded(of.output as DescMessage as O, answer)
  return {
    of,
    *answers() {
      while (true) yield bytes
    },
  }
}

const fetchLies = (blocks: ReadonlyArray<LogBlock>): Lie => ({
  of: method.fetch,
  *answers() {
    for (const block of blocks) {
      yield encoded(method.fetch.output, { $typeName: "millrace.v1.SyncServiceFetchResponse", block })
    }
  },
})

const silence: Lie = { of: method.watchHeads, *answers() {} }

/** A peer that says who it is, and then lies. */
const liar = ({ answers, of }: Lie) =>
  Effect.gen(function* () {
    const server = new grpc.Server()
    const asIs = (raw: Buffer): Buffer => raw
    const pathOf = (name: string): string => `/millrace.v1.SyncService/${name}`
    const identity = toBinary(method.identify.output, {
      $typeName: "millrace.v1.IdentifyResponse",
      node: { $typeName: "millrace.v1.NodeId", tenant: "t", line: "l", device: "liar" },
      incarnation: "1",
    })
    const identify: grpc.handleUnaryCall<Buffer, Buffer> = (_, answer) => answer(null, Buffer.from(identity))
    server.register(pathOf("Identify"), identify, asIs, asIs, "unary")
    const stream: grpc.handleServerStreamingCall<Buffer, Buffer> = (call) => {
      const given = answers()
      const more = (isFirst: boolean): void => {
        if (call.cancelled) return
        const { done, value } = given.next()
        if (done === true) return void (isFirst || call.end())
        // It has to hear that nobody wants any more.
        if (call.write(value)) setImmediate(more, false)
        else call.once("drain", () => more(false))
      }
      more(true)
    }
    server.register(pathOf(of.name), stream, asIs, asIs, "serverStream")
    const port = yield* Effect.acquireRelease(
      Effect.callback<number>((resume) =>
        server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (_, bound) =>
          resume(Effect.succeed(bound)),
        ),
      ),
      () => Effect.sync(() => server.forceShutdown()),
    )
    return yield* makePeer({ url: `grpc://127.0.0.1:${port}` })
  })

const log = { topic: "orders", origin: idOf("liar") }

const block = (count: number, first = 1): LogBlock => ({
  $typeName: "millrace.v1.LogBlock",
  first: BigInt(first),
  count,
  content: new Uint8Array(100),
})

const heads = (count: number, origin = 0) => ({
  $typeName: "millrace.v1.HeadBatch" as const,
  origins: [{ $typeName: "millrace.v1.NodeId" as const, tenant: "t", line: "l", device: "d" }],
  heads: Array.from({ length: count }, (_, i) => ({
    $typeName: "millrace.v1.Head" as const,
    origin,
    topic: `${i}`,
    offset: 1n,
  })),
})

describe("a peer that lies", () => {
  it.live("about logs without end is not listened to for ever", () =>
    Effect.gen(function* () {
      const peer = yield* liar(lie(method.heads, { $typeName: "millrace.v1.HeadsResponse", heads: heads(10_000) }))
      const error = yield* Effect.flip(peer.heads)
      expect(error).toMatchObject({ _tag: "PeerMisbehaved" })
      expect(error.message).toContain(`more than ${headsMax.toLocaleString("en")} logs`)
    }).pipe(Effect.scoped),
  )

  it.live.each<readonly [string, Lie]>([
    ["lists without logs", lie(method.heads, { $typeName: "millrace.v1.HeadsResponse" })],
    ["logs without origins", lie(method.heads, { $typeName: "millrace.v1.HeadsResponse", heads: heads(1, 1) })],
  ])("with %s is not understood", ([, lies]) =>
    Effect.gen(function* () {
      const peer = yield* liar(lies)
      expect((yield* Effect.flip(peer.heads)).message).toMatch(/sent what cannot be taken: a/)
    }).pipe(Effect.scoped),
  )

  it.live("with messages without end gives so many that it can be seen, and no more", () =>
    Effect.gen(function* () {
      const peer = yield* liar(fetchLies(Array.from({ length: 50 }, (_, i) => block(100, 1 + 100 * i))))
      const answer = yield* peer.fetch(log, 1, 250)
      expect(answer).toMatchObject({ first: 1, blocks: Array.from({ length: 3 }, () => ({ messages: 100 })) })
    }).pipe(Effect.scoped),
  )

  it.live("with bytes without end is not listened to for ever", () =>
    Effect.gen(function* () {
      const content = new Uint8Array(3 * 1024 * 1024)
      const peer = yield* liar(fetchLies(Array.from({ length: 50 }, (_, i) => ({ ...block(1, 1 + i), content }))))
      const answer = yield* peer.fetch(log, 1, 250)
      expect("blocks" in answer && answer.blocks.length).toBe(11)
    }).pipe(Effect.scoped),
  )

  it.live.each<readonly [string, ReadonlyArray<LogBlock>]>([
    ["blocks without messages", [block(0)]],
    ["blocks that leave something out", [block(2), block(2, 4)]],
    ["the same block again and again", [block(2), block(2)]],
  ])("with %s has misbehaved", ([, wrong]) =>
    Effect.gen(function* () {
      const peer = yield* liar(fetchLies(wrong))
      const error = yield* Effect.flip(peer.fetch(log, 1, 10))
      expect(error).toMatchObject({ _tag: "PeerMisbehaved", reason: "malformed message" })
    }).pipe(Effect.scoped),
  )

  it.live("with answers that are too large is cut off", () =>
    Effect.gen(function* () {
      const peer = yield* liar(fetchLies([{ ...block(1), content: new Uint8Array(17 * 1024 * 1024) }]))
      expect((yield* Effect.flip(peer.fetch(log, 1, 10))).message).toMatch(/larger than max|too large/i)
    }).pipe(Effect.scoped),
  )

  it.live("and says nothing where it should tell what moves is left after three seconds", () =>
    Effect.gen(function* () {
      const peer = yield* liar(silence)
      const error = yield* Effect.flip(Stream.runDrain(peer.moved))
      expect(error.message).toMatch(/has not been heard of for 3 seconds/)
    }).pipe(Effect.scoped),
  )
})
