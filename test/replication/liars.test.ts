/** Peers over millrace.v1 that send too much, nonsense, or nothing: nothing grows, and who asked is told what is wrong. */
import { describe, expect, it, vi } from "@effect/vitest"
import { type DescMessage, type DescMethodServerStreaming, type MessageShape, toBinary } from "@bufbuild/protobuf"
import * as grpc from "@grpc/grpc-js"
import { Effect, Stream } from "effect"
import { type LogPage, SyncService } from "../../src/protocol/grpc/gen/millrace/v1/sync_pb.ts"
import { makePeer } from "../../src/protocol/grpc/index.ts"
import { headsMax } from "../../src/protocol/grpc/sync/syncPeer.ts"
import { idOf } from "./nodes.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

const { method } = SyncService

type Streaming = typeof method.heads | typeof method.watchHeads | typeof method.fetch

/** Answers a call with the same bytes again and again, as long as they are taken, or so often. */
interface Lie {
  readonly of: Streaming
  readonly bytes: Buffer
  readonly times: number
}

const lie = <I extends DescMessage, O extends DescMessage>(
  of: DescMethodServerStreaming<I, O> & Streaming,
  answer: MessageShape<O>,
  times = Number.POSITIVE_INFINITY,
): Lie => ({ of, bytes: Buffer.from(toBinary(of.output as DescMessage as O, answer)), times })

/** A peer that says who it is, and then lies. */
const liar = ({ bytes, of, times }: Lie) =>
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
      let left = times
      const more = (): void => {
        if (call.cancelled || times === 0) return
        if (left-- <= 0) return void call.end()
        // It has to hear that nobody wants any more.
        if (call.write(bytes)) setImmediate(more)
        else call.once("drain", more)
      }
      more()
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

const page = (count: number, first = 1n): LogPage => ({
  $typeName: "millrace.v1.LogPage",
  first,
  count,
  ids: "i".repeat(count),
  idLengths: [1],
  createdAtMs: [1],
  payloads: new Uint8Array(),
  payloadLengths: [0],
  headers: [],
  deleted: [],
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
      expect(error).toMatchObject({ _tag: "PeerUnreachable" })
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

  it.live("with messages without end gives one more than was asked for, which shows what it is", () =>
    Effect.gen(function* () {
      const answer = { $typeName: "millrace.v1.SyncServiceFetchResponse" as const, page: page(100) }
      const peer = yield* liar(lie(method.fetch, answer))
      expect(yield* peer.fetch(log, 1, 250)).toHaveLength(251)
    }).pipe(Effect.scoped),
  )

  it.live.each<readonly [string, LogPage]>([
    ["pages without messages", page(0)],
    ["a billion messages that are not there", { ...page(1), count: 1_000_000_000 }],
    ["columns that do not fit together", { ...page(3), payloadLengths: [1, 2] }],
  ])("with %s has misbehaved", ([, wrong]) =>
    Effect.gen(function* () {
      const answer = { $typeName: "millrace.v1.SyncServiceFetchResponse" as const, page: wrong }
      const peer = yield* liar(lie(method.fetch, answer))
      const error = yield* Effect.flip(peer.fetch(log, 1, 10))
      expect(error).toMatchObject({ _tag: "PeerMisbehaved", reason: "malformed message" })
    }).pipe(Effect.scoped),
  )

  it.live("with answers that are too large is cut off", () =>
    Effect.gen(function* () {
      const payloads = new Uint8Array(17 * 1024 * 1024)
      const large = { ...page(1), payloads, payloadLengths: [payloads.byteLength] }
      const answer = { $typeName: "millrace.v1.SyncServiceFetchResponse" as const, page: large }
      const peer = yield* liar(lie(method.fetch, answer, 1))
      expect((yield* Effect.flip(peer.fetch(log, 1, 10))).message).toMatch(/larger than max|too large/i)
    }).pipe(Effect.scoped),
  )

  it.live("and says nothing where it should tell what moves is left after three seconds", () =>
    Effect.gen(function* () {
      const peer = yield* liar(lie(method.watchHeads, { $typeName: "millrace.v1.WatchHeadsResponse" }, 0))
      const error = yield* Effect.flip(Stream.runDrain(peer.moved))
      expect(error.message).toMatch(/has not been heard of for 3 seconds/)
    }).pipe(Effect.scoped),
  )
})
