/**
 * A peer that speaks `msgbus.v1`: millrace's nodes do, and msgbus's.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { InvalidArgument } from "../../../domain/errors.ts"
import type { LogId } from "../../../domain/LogId.ts"
import { makeHeaders } from "../../../domain/Message.ts"
import type { NodeId } from "../../../domain/NodeId.ts"
import { type Peer, type PeerMessage, PeerUnreachable } from "../../../replication/index.ts"
import type { Current, TlsDialOptions } from "../../../transport/tls.ts"
import * as Connection from "../client/connection.ts"
import { msgbusNode } from "../codec/codec.ts"
import { type MessageEnvelope, MsgbusService, type NodeId as NodeMessage } from "../gen/msgbus/v1/msgbus_pb.ts"

export interface MsgbusPeerOptions {
  /** `grpc://HOST:PORT`, or `http://HOST:PORT`; with TLS `grpcs://` or `https://`. */
  readonly url: string
  /** How long a question may take, in milliseconds; by default 10 seconds. */
  readonly timeoutMillis?: number | undefined
  /** The largest answer that is taken, in bytes; by default 16 MiB. */
  readonly receiveBytesMax?: number | undefined
  readonly token?: Redacted.Redacted | undefined
  /** For TLS; without it those are trusted that Node trusts. */
  readonly tls?: Current<TlsDialOptions> | undefined
}

const { method } = MsgbusService

const nodeOf = (node: NodeMessage | undefined): NodeId => ({
  tenant: node?.tenantId ?? "",
  line: node?.blName ?? "",
  device: node?.deviceId ?? "",
})

const noPayload = new Uint8Array()

const messageOf = (envelope: MessageEnvelope): PeerMessage => ({
  topic: envelope.topic,
  origin: nodeOf(envelope.origin),
  offset: Number(envelope.headId),
  id: envelope.id,
  createdAt: Number(envelope.createdAtMs),
  headers: makeHeaders(envelope.headers),
  payload: envelope.deleted ? noPayload : envelope.payload,
  deleted: envelope.deleted,
})

/** Connects when it is asked for the first time, and again whenever that is needed. */
export const makePeer = Effect.fnUntraced(function* ({
  url,
  timeoutMillis = 10_000,
  receiveBytesMax = 16 * 1024 * 1024,
  tls,
  token,
}: MsgbusPeerOptions): Effect.fn.Return<Peer, InvalidArgument, Scope.Scope> {
  const connection = yield* Connection.make({ url, timeoutMillis, receiveBytesMax, tls, token })
  const unreachable = Effect.mapError(({ message }: { readonly message: string }) => new PeerUnreachable({ message }))
  return {
    name: url,

    identity: connection.read(method.health, { $typeName: "msgbus.v1.HealthRequest" }).pipe(
      unreachable,
      Effect.map(({ node }) => nodeOf(node)),
    ),

    heads: connection.read(method.listHeads, { $typeName: "msgbus.v1.ListHeadsRequest" }).pipe(
      unreachable,
      Effect.map(({ heads }) =>
        heads.map(({ topic, origin, headId }) => ({ topic, origin: nodeOf(origin), offset: Number(headId) })),
      ),
    ),

    fetch: ({ topic, origin }: LogId, from, limit) =>
      connection
        .readAll(
          method.fetch,
          {
            $typeName: "msgbus.v1.FetchRequest",
            topic,
            origin: msgbusNode(origin),
            fromHeadId: BigInt(from),
            limit,
          },
          // One more than was asked for is enough to see that there are too many.
          limit + 1,
        )
        .pipe(
          unreachable,
          Effect.map((answers) =>
            answers
              .map(({ message }) => message)
              .filter((message) => message !== undefined)
              .map(messageOf),
          ),
        ),
    // This contract has no word for it.
    moved: Stream.never,
  }
})
