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

/** The text of the node that was written last: a page has few. */
let lastNode: NodeId.NodeId | undefined
let lastText = ""

const textOf = (node: NodeId.NodeId): string => {
  if (node !== lastNode) {
    lastText = NodeId.format(node)
    lastNode = node
  }
  return lastText
}

export const storedFields = (message: Message.Message): typeof Stored.Type => {
  const { topic, offset, position, id, createdAt, deleted } = message
  const stored = { topic, origin: textOf(message.origin), offset, position, id, createdAt }
  return deleted ? { ...stored, deleted } : stored
}

/** Written out, for whole pages are made of it. */
export const messageFields = (message: Message.Message): MessageFields => {
  const { topic, offset, position, id, createdAt, deleted, headers, payload } = message
  const origin = textOf(message.origin)
  if (deleted) return { topic, origin, offset, position, id, createdAt, deleted, payload }
  if (headers === Message.noHeaders) return { topic, origin, offset, position, id, createdAt, payload }
  return { topic, origin, offset, position, id, createdAt, headers, payload }
}

/** A stored message at its place. */
const placed = (
  { topic, offset, position, id, createdAt, deleted }: typeof Stored.Type,
  origin: NodeId.NodeId,
  headers: Readonly<Record<string, string>> | null | undefined,
  payload: Uint8Array,
): Message.Message =>
  deleted === true
    ? {
        topic,
        origin,
        offset,
        position,
        id,
        createdAt,
        headers: Message.noHeaders,
        payload: Message.noPayload,
        deleted,
      }
    : {
        topic,
        origin,
        offset,
        position,
        id,
        createdAt,
        headers: Message.makeHeaders(headers ?? undefined),
        payload,
        deleted: false,
      }

/** Messages as they were read. */
export const messagesOf = (
  fields: ReadonlyArray<MessageFields>,
): Effect.Effect<ReadonlyArray<Message.Message>, InvalidArgument> => {
  const origins = [...new Set(fields.map(({ origin }) => origin))]
  return Effect.map(Effect.forEach(origins, knownNode), (nodes) => {
    const known = new Map(origins.map((origin, i) => [origin, nodes[i]!]))
    return fields.map((one) => placed(one, known.get(one.origin)!, one.headers, one.payload))
  })
}

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
