/**
 * A peer that is asked over `msgbus.v1`: millrace's nodes understand it, and msgbus's. It can only be asked.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LogId } from "../../../domain/LogId.ts"
import { makeHeaders, noPayload } from "../../../domain/Message.ts"
import type { NodeId } from "../../../domain/NodeId.ts"
import type { PeerMessage } from "../../../replication/index.ts"
import { msgbusNode } from "../codec/codec.ts"
import { type MessageEnvelope, MsgbusService, type NodeId as NodeMessage } from "../gen/msgbus/v1/msgbus_pb.ts"
import { identityMillis, type PeerConnection, unreachable } from "../sync/PeerConnection.ts"
import type { Spoken } from "../sync/Spoken.ts"

const { method } = MsgbusService

/** What the answers to one fetch may hold together, about. */
const fetchBytesMax = 32 * 1024 * 1024

const nodeOf = (node: NodeMessage | undefined): NodeId => ({
  tenant: node?.tenantId ?? "",
  line: node?.blName ?? "",
  device: node?.deviceId ?? "",
})

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

export const overMsgbus = ({ asking, connection, lost }: PeerConnection): Spoken => ({
  fetchMax: undefined,

  identity: asking(
    connection.read(method.health, { $typeName: "msgbus.v1.HealthRequest" }, { timeoutMillis: identityMillis }),
  ).pipe(
    Effect.mapError(unreachable),
    Effect.map(({ node }) => nodeOf(node)),
  ),

  heads: asking(connection.read(method.listHeads, { $typeName: "msgbus.v1.ListHeadsRequest" })).pipe(
    Effect.mapError(unreachable),
    Effect.map(({ heads }) =>
      heads.map(({ topic, origin, headId }) => ({ topic, origin: nodeOf(origin), offset: Number(headId) })),
    ),
  ),

  fetch: ({ topic, origin }: LogId, from, limit) =>
    asking(
      connection.collect(
        method.fetch,
        {
          $typeName: "msgbus.v1.FetchRequest",
          topic,
          origin: msgbusNode(origin),
          fromHeadId: BigInt(from),
          limit,
        },
        () => {
          const messages: Array<PeerMessage> = []
          let answers = 0
          let bytes = 0
          return {
            take: ({ message }) => {
              answers++
              if (message !== undefined) {
                messages.push(messageOf(message))
                bytes += message.payload.byteLength
              }
              // One more than was asked for is enough to see that there are too many.
              return answers <= limit && bytes < fetchBytesMax
            },
            value: () => messages,
          }
        },
      ),
    ).pipe(Effect.mapError(unreachable)),

  // It never tells anything. What comes after it on another connection may.
  moved: Stream.fromEffect(lost),
})
