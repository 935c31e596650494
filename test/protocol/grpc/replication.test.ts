/** How a node stands with its peers, over gRPC: as it is told beside it, errors included. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Stream } from "effect"
import { fromBinary, toBinary } from "@bufbuild/protobuf"
import * as fc from "fast-check"
import { OffsetConflict, OffsetGap, OutcomeUnknown, StorageFailed, StorageFull } from "../../../src/domain/errors.ts"
import type { NodeId } from "../../../src/domain/NodeId.ts"
import { GrpcServer, layerServer, layerSync } from "../../../src/protocol/grpc/index.ts"
import { GetStatusResponseSchema } from "../../../src/protocol/grpc/gen/millrace/v1/replication_pb.ts"
import { peerSyncStates } from "../../../src/protocol/grpc/msgbus/peerSyncStates.ts"
import { statusEvent, statusResponse } from "../../../src/protocol/grpc/replication/replicationCodec.ts"
import {
  noPeers,
  NotResolvable,
  PeerMisbehaved,
  PeerRefused,
  type PeerStatus,
  PeerUnreachable,
  Replication,
  type Resolution,
  type ResolveFailure,
  SyncControl,
  type SyncState,
  type SyncStatusEvent,
} from "../../../src/replication/index.ts"
import * as Memory from "../../../src/storage/memory/index.ts"
import * as Topics from "../../../src/topics/index.ts"
import { logState, peerState } from "../../replication/states.ts"

const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 })
const count = fc.nat()
const place = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const nodeId: fc.Arbitrary<NodeId> = fc.record({ tenant: name, line: name, device: name })
const text = fc.option(fc.string({ unit: "grapheme" }), { nil: undefined })

const peer: fc.Arbitrary<PeerStatus> = fc.record({
  peer: name,
  identity: fc.option(nodeId, { nil: undefined }),
  isTelling: fc.boolean(),
  isSyncing: fc.boolean(),
  lastAttemptAt: place,
  lastSuccessAt: place,
  failures: count,
  failingSince: place,
  lastError: text,
  isRefused: fc.boolean(),
  logs: place,
  logsBehind: place,
  logsFailing: place,
  logsQuarantined: place,
  behind: place,
  accepted: place,
})

const log: fc.Arbitrary<SyncState> = fc.record(
  {
    peer: name,
    log: fc.record({ topic: name, origin: nodeId }),
    localHead: place,
    remoteHead: place,
    syncedHead: place,
    lastAttemptAt: place,
    lastSuccessAt: place,
    failures: count,
    lastError: fc.string({ unit: "grapheme" }),
    quarantine: fc.record({ offset: place, since: place, isKept: fc.boolean() }),
  },
  {
    requiredKeys: [
      "peer",
      "log",
      "localHead",
      "remoteHead",
      "syncedHead",
      "lastAttemptAt",
      "lastSuccessAt",
      "failures",
    ],
  },
)

const event: fc.Arbitrary<SyncStatusEvent> = fc.oneof(
  fc.record({
    _tag: fc.constant("Peers" as const),
    status: fc.record({
      node: nodeId,
      at: place,
      peers: fc.array(peer, { maxLength: 3 }),
      totals: fc.record({ peers: count, failing: count, behind: place, logsQuarantined: place }),
    }),
  }),
  fc.record({ _tag: fc.constant("Logs" as const), logs: fc.array(log, { maxLength: 5 }) }),
)

it("what is told of peers and logs arrives as it was", () => {
  fc.assert(
    fc.property(event, (told) => {
      const bytes = toBinary(GetStatusResponseSchema, statusResponse(told))
      expect(Option.getOrThrow(statusEvent(fromBinary(GetStatusResponseSchema, bytes)))).toEqual(told)
    }),
  )
})

/** The syncing of a node, asked over gRPC. */
const asking = (replication: Replication["Service"] | undefined) =>
  Effect.gen(function* () {
    const server = layerServer({ host: "127.0.0.1", port: 0 }).pipe(
      Layer.provide(Topics.layer),
      Layer.provide(Memory.layer({})),
      Layer.provide(replication === undefined ? Layer.empty : Layer.succeed(Replication, replication)),
    )
    const { url } = Context.get(yield* Layer.build(server), GrpcServer)
    return Context.get(yield* Layer.build(layerSync({ url })), SyncControl)
  })

const orders = { topic: "orders", origin: { tenant: "t", line: "l", device: "a" } }

describe("over gRPC", () => {
  it.live("peers come first, and then all logs, however many there are", () =>
    Effect.gen(function* () {
      const logs = Array.from({ length: 3000 }, (_, i) => logState({ log: { ...orders, topic: `${i}` } }))
      const { status } = yield* asking({
        ...noPeers,
        peers: Effect.succeed([peerState({ logs: logs.length })]),
        states: Effect.succeed(logs),
      })
      const [first, ...rest] = yield* Stream.runCollect(status({ logs: "all" }))
      expect(first).toMatchObject({ _tag: "Peers", status: { peers: [{ logs: 3000 }], totals: { peers: 1 } } })
      expect(rest.flatMap((told) => (told._tag === "Logs" ? told.logs : []))).toEqual(logs)
      const one = yield* Stream.runCollect(status({ logs: "all", topics: "123", origin: orders.origin }))
      expect(one).toMatchObject([{ _tag: "Peers" }, { _tag: "Logs", logs: [{ log: { topic: "123" } }] }])
      expect(yield* Effect.flip(Stream.runDrain(status({ logs: "all", peer: "nobody" })))).toMatchObject({
        _tag: "InvalidArgument",
      })
    }),
  )

  it.live("a node without peers says so", () =>
    Effect.gen(function* () {
      const { resolve, status } = yield* asking(undefined)
      expect(yield* Stream.runCollect(status({ logs: "all" }))).toMatchObject([
        { _tag: "Peers", status: { peers: [], totals: { peers: 0 } } },
      ])
      expect(yield* Effect.flip(resolve(orders, "peer"))).toMatchObject({ _tag: "NotResolvable" })
    }),
  )

  it.live("what was resolved, and why it could not be, arrives as it was", () =>
    Effect.gen(function* () {
      const done: Resolution = {
        log: orders,
        keep: "peer",
        peers: ["grpc://a:1"],
        differedFrom: 7,
        discarded: 3,
        accepted: 5,
        head: 12,
      }
      const asked: Array<unknown> = []
      let failure: ResolveFailure | undefined
      const { resolve } = yield* asking({
        ...noPeers,
        peers: Effect.succeed([peerState()]),
        resolve: (log, keep, peer) => {
          asked.push({ log, keep, peer })
          return failure === undefined ? Effect.succeed({ ...done, keep, log }) : Effect.fail(failure)
        },
      })
      expect(yield* resolve(orders, "peer")).toEqual(done)
      expect(yield* resolve(orders, "local", "grpc://a:1")).toEqual({ ...done, keep: "local" })
      expect(asked).toEqual([
        { log: orders, keep: "peer", peer: undefined },
        { log: orders, keep: "local", peer: "grpc://a:1" },
      ])
      for (const error of [
        new NotResolvable({ reason: "several peers", message: "which one" }),
        new PeerRefused({ reason: "other identity", message: "who is that" }),
        new OffsetConflict({ topic: "orders", origin: "t/l/a", offset: 7, message: "again" }),
        new OffsetGap({ topic: "orders", origin: "t/l/a", expected: 7, received: 9, message: "a gap" }),
        new PeerUnreachable({ message: "gone" }),
        new PeerMisbehaved({ reason: "wrong offsets", message: "5 where 4 was due" }),
        new StorageFailed({ operation: "truncate", message: "the disk" }),
        new StorageFull({ operation: "accept", message: "full" }),
        new OutcomeUnknown({ operation: "accept", message: "who knows" }),
      ]) {
        failure = error
        expect(yield* Effect.flip(resolve(orders, "peer"))).toEqual(error)
      }
      const strange = yield* Effect.flip(resolve({ ...orders, topic: "a#" }, "peer"))
      expect(strange).toMatchObject({ _tag: "InvalidArgument", argument: "log" })
    }),
  )
})

describe("what ListPeerSyncStates says of the logs of a peer that fails as a whole", () => {
  const logs = [logState({ failures: 2, lastError: "of its own", lastAttemptAt: 5 }), logState({ peer: "grpc://b:1" })]
  const told = (peers: Parameters<typeof peerSyncStates>[0]) =>
    peerSyncStates(peers, logs).map(({ consecutiveFailures, lastAttemptAtMs, lastError }) => [
      consecutiveFailures,
      lastError,
      lastAttemptAtMs,
    ])

  it("is that each of them fails, for the same reason and as often", () => {
    const gone = { failures: 7, failingSince: 1, lastError: "gone", lastAttemptAt: 2_000_000 }
    expect(told([peerState(gone), peerState({ peer: "grpc://b:1" })])).toEqual([
      [7, "gone", 2_000_000n],
      [0, "", 1_000_000n],
    ])
  })

  it("is what is known of each where it does not", () => {
    expect(told([peerState(), peerState({ peer: "grpc://b:1" })])).toEqual([
      [2, "of its own", 5n],
      [0, "", 1_000_000n],
    ])
  })
})
