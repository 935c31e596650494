/**
 * Between the bus's types and the messages of both protocols: numbers, nodes, stored messages, batches of them.
 *
 * Plain functions on arrays; what comes from outside is checked here, once. Messages are made as plain objects with
 * their type's name, which is what the protobuf library itself works on.
 */
import * as Effect from "effect/Effect"
import { InvalidArgument } from "../../../domain/errors.ts"
import { type Message, makeHeaders, noPayload } from "../../../domain/Message.ts"
import * as NodeId from "../../../domain/NodeId.ts"
import type { Draft as DraftMessage, MessageBatch, NodeId as NodeMessage } from "../gen/millrace/v1/topics_pb.ts"
import type { MessageEnvelope, NodeId as MsgbusNode } from "../gen/msgbus/v1/msgbus_pb.ts"

/** About what a message takes on the wire beside its payload: id, times, headers' usual size. */
const messageOverheadBytes = 96

/** A number from a uint64; beyond 2^53 - 1 JavaScript's numbers are not exact, and no store gives such places. */
export const integer = (argument: string, value: bigint): Effect.Effect<number, InvalidArgument> =>
  value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Effect.succeed(Number(value))
    : Effect.fail(
        new InvalidArgument({
          argument,
          message: `${argument} is at most ${Number.MAX_SAFE_INTEGER}, not ${value}`,
        }),
      )

/** A place or a range's end as a uint64. */
export const unsigned = (argument: string, value: number): Effect.Effect<bigint, InvalidArgument> =>
  Number.isSafeInteger(value) && value >= 0
    ? Effect.succeed(BigInt(value))
    : Effect.fail(
        new InvalidArgument({
          argument,
          message: `${argument} is a whole number from 0 to ${Number.MAX_SAFE_INTEGER}, not ${value}`,
        }),
      )

/** A node in millrace.v1. */
export const nodeMessage = (node: NodeId.NodeId): NodeMessage => ({
  $typeName: "millrace.v1.NodeId",
  tenant: node.tenant,
  line: node.line,
  device: node.device,
})

/** A node from a message of a node that we trust to name one. */
export const plainNode = (message: NodeMessage | undefined): NodeId.NodeId => ({
  tenant: message?.tenant ?? "",
  line: message?.line ?? "",
  device: message?.device ?? "",
})

/** A node from millrace.v1, checked. */
export const node = (message: NodeMessage): Effect.Effect<NodeId.NodeId, InvalidArgument> =>
  NodeId.check({ tenant: message.tenant, line: message.line, device: message.device })

/** The same, where one need not be named. */
export const optionalNode = (
  message: NodeMessage | undefined,
): Effect.Effect<NodeId.NodeId | undefined, InvalidArgument> =>
  message === undefined ? Effect.succeed(undefined) : node(message)

/** A node in msgbus.v1. */
export const msgbusNode = (node: NodeId.NodeId): MsgbusNode => ({
  $typeName: "msgbus.v1.NodeId",
  tenantId: node.tenant,
  blName: node.line,
  deviceId: node.device,
})

/** A node from msgbus.v1, checked; none where it is absent or all its parts are empty, which means the node asked. */
export const msgbusNamed = (
  argument: string,
  node: MsgbusNode | undefined,
): Effect.Effect<NodeId.NodeId | undefined, InvalidArgument> => {
  if (node === undefined || (node.tenantId === "" && node.blName === "" && node.deviceId === "")) {
    return Effect.succeed(undefined)
  }
  return Effect.mapError(
    NodeId.check({ tenant: node.tenantId, line: node.blName, device: node.deviceId }),
    (wrong) => new InvalidArgument({ argument, message: wrong.message }),
  )
}

/** A stored message in msgbus.v1. */
export const envelope = (message: Message): MessageEnvelope => ({
  $typeName: "msgbus.v1.MessageEnvelope",
  id: message.id,
  topic: message.topic,
  origin: msgbusNode(message.origin),
  headId: BigInt(message.offset),
  payload: message.payload,
  headers: message.headers,
  createdAtMs: BigInt(message.createdAt),
  deleted: message.deleted,
})

/** About how many bytes an envelope takes on the wire. */
export const envelopeBytes = (message: MessageEnvelope): number =>
  message.payload.byteLength + message.topic.length + 2 * messageOverheadBytes

/** The stored messages of a batch, from a node that we trust to send whole ones; throws where it does not. */
export const messages = (batch: MessageBatch | undefined): Array<Message> => {
  if (batch === undefined) return []
  const origins = batch.logs.map(({ origin }) => plainNode(origin))
  const found: Array<Message> = []
  for (const message of batch.messages) {
    const log = batch.logs[message.log]
    const origin = origins[message.log]
    if (log === undefined || origin === undefined) throw new Error("a message of a log that its batch does not name")
    found.push({
      topic: log.topic,
      origin,
      offset: Number(message.offset),
      position: Number(message.position),
      id: message.id,
      createdAt: Number(message.createdAtMs),
      headers: makeHeaders(message.headers),
      payload: message.deleted ? noPayload : message.payload,
      deleted: message.deleted,
    })
  }
  return found
}

/** How many bytes a draft takes on the wire at most: a UTF-16 unit is three bytes at most, the rest is framing. */
export const draftBytes = (draft: DraftMessage): number => {
  let bytes = draft.payload.byteLength + 3 * draft.topic.length + 3 * (draft.key?.length ?? 0) + 24
  for (const name of Object.keys(draft.headers)) bytes += 3 * (name.length + draft.headers[name]!.length) + 16
  return bytes
}
