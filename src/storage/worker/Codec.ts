/**
 * Batches and pages for the way between threads, as columns. What comes out equals what went in.
 *
 * Of each packed batch, `payloads.bytes` is to be transferred; the rest is cloned.
 */
import { type LogId, key as logKey } from "../../domain/LogId.ts"
import type { Headers, Message } from "../../domain/Message.ts"
import type { Draft, ReplicatedMessage } from "../LogStore.ts"
import {
  headersAt,
  type HeadersColumn,
  namedAt,
  type NamedColumn,
  numberAt,
  type NumberColumn,
  packHeaders,
  packNamed,
  packNumbers,
  packPayloads,
  packText,
  type PayloadColumn,
  payloadReader,
  type TextColumn,
  textReader,
} from "./Columns.ts"

/** What drafts, stored messages and those of other nodes have in common. */
interface PackedContent {
  readonly count: number
  readonly ids: TextColumn
  readonly createdAt: NumberColumn
  readonly headers: HeadersColumn
  readonly payloads: PayloadColumn
}

interface Content {
  readonly id: string
  readonly createdAt: number
  readonly headers: Headers
  readonly payload: Uint8Array
}

const packContent = (records: ReadonlyArray<Content>): PackedContent => ({
  count: records.length,
  ids: packText(records.map((record) => record.id)),
  createdAt: packNumbers(records.map((record) => record.createdAt)),
  headers: packHeaders(records.map((record) => record.headers)),
  payloads: packPayloads(records.map((record) => record.payload)),
})

/** Requests to append. */
export interface PackedDrafts extends PackedContent {
  /** How many drafts each request has; absent where each has one. */
  readonly sizes: Uint32Array | undefined
  readonly topics: NamedColumn<string>
  /** Absent where no draft has one. */
  readonly keys: ReadonlyArray<string | undefined> | undefined
}

export const packDrafts = (requests: ReadonlyArray<ReadonlyArray<Draft>>): PackedDrafts => {
  const drafts = requests.length === 1 ? requests[0]! : requests.flat()
  const areSingle = requests.every((request) => request.length === 1)
  return {
    ...packContent(drafts),
    sizes: areSingle ? undefined : Uint32Array.from(requests, (request) => request.length),
    topics: packNamed(
      drafts.map((draft) => draft.topic),
      (topic) => topic,
    ),
    keys: drafts.every((draft) => draft.key === undefined) ? undefined : drafts.map((draft) => draft.key),
  }
}

export const unpackDrafts = (packed: PackedDrafts): ReadonlyArray<ReadonlyArray<Draft>> => {
  const { count, createdAt, headers, keys, sizes, topics } = packed
  const id = textReader(packed.ids)
  const payload = payloadReader(packed.payloads)
  const drafts: Array<Draft> = []
  for (let i = 0; i < count; i++) {
    drafts.push({
      topic: namedAt(topics, i),
      id: id(),
      createdAt: numberAt(createdAt, i),
      headers: headersAt(headers, i),
      payload: payload(),
      key: keys?.[i],
    })
  }
  if (sizes === undefined) return drafts.map((draft) => [draft])
  if (sizes.length === 1) return [drafts]
  let at = 0
  return Array.from(sizes, (size) => drafts.slice(at, (at += size)))
}

/** Stored messages, of any logs. */
export interface PackedMessages extends PackedContent {
  readonly logs: NamedColumn<LogId>
  readonly offsets: NumberColumn
  readonly positions: NumberColumn
  /** Absent where none is. */
  readonly deleted: ReadonlyArray<boolean> | undefined
}

export const packMessages = (messages: ReadonlyArray<Message>): PackedMessages => ({
  ...packContent(messages),
  logs: packLogs(messages),
  offsets: packNumbers(messages.map((message) => message.offset)),
  positions: packNumbers(messages.map((message) => message.position)),
  deleted: packDeleted(messages),
})

const packLogs = (messages: ReadonlyArray<Message>): NamedColumn<LogId> => {
  const logs: Array<LogId> = []
  let log: LogId | undefined
  for (const { origin, topic } of messages) {
    // Messages of one log share the very objects: one log for a whole run of them.
    if (log === undefined || log.topic !== topic || log.origin !== origin) log = { topic, origin }
    logs.push(log)
  }
  return packNamed(logs, logKey)
}

const packDeleted = (messages: ReadonlyArray<{ readonly deleted: boolean }>): ReadonlyArray<boolean> | undefined =>
  messages.some((message) => message.deleted) ? messages.map((message) => message.deleted) : undefined

export const unpackMessages = (packed: PackedMessages): ReadonlyArray<Message> => {
  const { count, createdAt, deleted, headers, logs, offsets, positions } = packed
  const id = textReader(packed.ids)
  const payload = payloadReader(packed.payloads)
  const messages: Array<Message> = []
  for (let i = 0; i < count; i++) {
    const { origin, topic } = namedAt(logs, i)
    messages.push({
      topic,
      origin,
      offset: numberAt(offsets, i),
      position: numberAt(positions, i),
      id: id(),
      createdAt: numberAt(createdAt, i),
      headers: headersAt(headers, i),
      payload: payload(),
      deleted: deleted?.[i] ?? false,
    })
  }
  return messages
}

/** Messages of another node. */
export interface PackedReplicas extends PackedContent {
  readonly offsets: NumberColumn
  readonly deleted: ReadonlyArray<boolean> | undefined
}

export const packReplicas = (messages: ReadonlyArray<ReplicatedMessage>): PackedReplicas => ({
  ...packContent(messages),
  offsets: packNumbers(messages.map((message) => message.offset)),
  deleted: packDeleted(messages),
})

export const unpackReplicas = (packed: PackedReplicas): ReadonlyArray<ReplicatedMessage> => {
  const { count, createdAt, deleted, headers, offsets } = packed
  const id = textReader(packed.ids)
  const payload = payloadReader(packed.payloads)
  return Array.from({ length: count }, (_, i) => ({
    offset: numberAt(offsets, i),
    id: id(),
    createdAt: numberAt(createdAt, i),
    headers: headersAt(headers, i),
    payload: payload(),
    deleted: deleted?.[i] ?? false,
  }))
}
