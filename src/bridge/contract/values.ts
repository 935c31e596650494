/** Messages and items as `.bus` writes them, and back. */
import * as Effect from "effect/Effect"
import type { InvalidArgument } from "../../domain/errors.ts"
import * as Message from "../../domain/Message.ts"
import * as NodeId from "../../domain/NodeId.ts"
import type { QueueItem } from "../../domain/QueueItem.ts"
import type { PublishDraft } from "../../topics/index.ts"
import { present } from "./Method.ts"
import type { AddedFields, ItemFields } from "./queues.ts"
import type { Draft, MessageFields, Stored } from "./topics.ts"

const headersOf = (headers: Message.Headers): Message.Headers | undefined =>
  headers === Message.noHeaders ? undefined : headers

/** Nodes that were read last: a page of messages has few. */
const nodes = new Map<string, NodeId.NodeId>()
const nodesMax = 1024

/** A node as a parameter. */
export const nodeOf = (text: string | null | undefined): Effect.Effect<NodeId.NodeId | undefined, InvalidArgument> => {
  if (text === null || text === undefined) return Effect.undefined
  const known = nodes.get(text)
  if (known !== undefined) return Effect.succeed(known)
  return Effect.tap(NodeId.parse(text), (node) =>
    Effect.sync(() => {
      if (nodes.size >= nodesMax) nodes.clear()
      nodes.set(text, node)
    }),
  )
}

const knownNode = (text: string): Effect.Effect<NodeId.NodeId, InvalidArgument> =>
  Effect.flatMap(nodeOf(text), (node) => (node === undefined ? NodeId.parse(text) : Effect.succeed(node)))

export const draftOf = ({ topic, payload, headers, key }: typeof Draft.Type): PublishDraft => ({
  topic,
  payload,
  headers: headers ?? undefined,
  key: key ?? undefined,
})

export const storedFields = (message: Message.Message): typeof Stored.Type => {
  const { topic, offset, position, id, createdAt, deleted } = message
  const origin = NodeId.format(message.origin)
  return present({ topic, origin, offset, position, id, createdAt, deleted: deleted ? true : undefined })
}

export const messageFields = (message: Message.Message): MessageFields => ({
  ...storedFields(message),
  ...present({ headers: headersOf(message.headers) }),
  payload: message.payload,
})

/** A stored message, given what its publisher knows of it. */
export const messageOf = (
  { origin, topic, offset, position, id, createdAt, deleted }: typeof Stored.Type,
  headers: Readonly<Record<string, string>> | null | undefined,
  payload: Uint8Array,
): Effect.Effect<Message.Message, InvalidArgument> =>
  Effect.map(knownNode(origin), (node) => ({
    topic,
    origin: node,
    offset,
    position,
    id,
    createdAt,
    headers: deleted === true ? Message.noHeaders : Message.makeHeaders(headers ?? undefined),
    payload: deleted === true ? Message.noPayload : payload,
    deleted: deleted === true,
  }))

export const addedFields = (item: QueueItem): AddedFields => {
  const { queue, id, sequence, attempts, topic, source, target, createdAt } = item
  return {
    queue,
    id,
    sequence,
    attempts,
    topic,
    source: NodeId.format(source),
    createdAt,
    ...present({ target: target === undefined ? undefined : NodeId.format(target) }),
  }
}

export const itemFields = (item: QueueItem): ItemFields => ({
  ...addedFields(item),
  ...present({
    headers: headersOf(item.headers),
    death: item.death === undefined ? undefined : present(item.death),
  }),
  payload: item.payload,
})

/** An item that was added, given what its owner knows of it. */
export const addedItemOf = Effect.fnUntraced(function* (
  fields: AddedFields,
  headers: Readonly<Record<string, string>> | null | undefined,
  payload: Uint8Array,
): Effect.fn.Return<QueueItem, InvalidArgument> {
  const { queue, id, sequence, attempts, topic, createdAt } = fields
  const source = yield* knownNode(fields.source)
  const target = yield* nodeOf(fields.target)
  return {
    queue,
    id,
    sequence,
    attempts,
    topic,
    source,
    target,
    createdAt,
    headers: Message.makeHeaders(headers ?? undefined),
    payload,
    death: undefined,
  }
})

export const itemOf = Effect.fnUntraced(function* (fields: ItemFields): Effect.fn.Return<QueueItem, InvalidArgument> {
  const { death, headers, payload } = fields
  const item = yield* addedItemOf(fields, headers, payload)
  if (death === null || death === undefined) return item
  return { ...item, death: { ...death, reason: death.reason ?? undefined } }
})
