/**
 * Batches and pages for the way between threads: drafts as blocks, which a store may keep as they are, messages as
 * columns. What comes out equals what went in.
 *
 * Of each packed batch, `bytes` or `payloads.bytes` is to be transferred; the rest is cloned.
 */
import { type LogId, key as logKey } from "../../domain/LogId.ts"
import { type Headers, type Message, noHeaders, noPayload } from "../../domain/Message.ts"
import { Block, BlockWriter, encodeBlocks } from "../parts/Block.ts"
import type { AcceptResult, AppendResult, BlockPlace, Draft, DraftBlock, ReplicatedMessage } from "../LogStore.ts"
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

/** What stored messages and those of other nodes have in common. */
export interface PackedContent {
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

export const packContent = (records: ReadonlyArray<Content>): PackedContent => ({
  count: records.length,
  ids: packText(records.map((record) => record.id)),
  createdAt: packNumbers(records.map((record) => record.createdAt)),
  headers: packHeaders(records.map((record) => record.headers)),
  payloads: packPayloads(records.map((record) => record.payload)),
})

/** Requests to append: blocks, one after another in a buffer that can be transferred. */
export interface PackedDrafts {
  /** How many drafts each request has; absent where each has one. */
  readonly sizes: Uint32Array | undefined
  readonly blocks: number
  /** Of each block: its topic, how many drafts it holds, and its length in bytes. */
  readonly topics: NamedColumn<string>
  readonly messages: NumberColumn
  readonly lengths: NumberColumn
  readonly bytes: ArrayBuffer
  /** Absent where no draft has one. */
  readonly keys: ReadonlyArray<string | undefined> | undefined
  /** When they are used; absent with them. */
  readonly keyedAt: ReadonlyArray<number | undefined> | undefined
}

export const packDrafts = (requests: ReadonlyArray<ReadonlyArray<Draft>>): PackedDrafts => {
  const writers: Array<BlockWriter> = []
  const topics: Array<string> = []
  let writer: BlockWriter | undefined
  let areSingle = true
  let hasKeys = false
  for (const request of requests) {
    if (request.length !== 1) areSingle = false
    for (const draft of request) {
      if (draft.key !== undefined) hasKeys = true
      if (writer === undefined || draft.topic !== topics[topics.length - 1] || !writer.add(draft)) {
        writer = new BlockWriter()
        writer.add(draft)
        writers.push(writer)
        topics.push(draft.topic)
      }
    }
  }
  const { bytes, lengths } = encodeBlocks(writers)
  return {
    sizes: areSingle ? undefined : Uint32Array.from(requests, (request) => request.length),
    blocks: writers.length,
    topics: packNamed(topics, (topic) => topic),
    messages: packNumbers(writers.map((writer) => writer.count)),
    lengths: packNumbers(lengths),
    bytes: bytes.buffer,
    keys: hasKeys ? requests.flatMap((request) => request.map((draft) => draft.key)) : undefined,
    keyedAt: hasKeys ? requests.flatMap((request) => request.map((draft) => draft.keyedAt)) : undefined,
  }
}

/** The blocks as they are: what a store takes that knows blocks, where no draft has a key. */
export const unpackBlocks = ({ blocks, bytes, lengths, messages, topics }: PackedDrafts): ReadonlyArray<DraftBlock> => {
  let at = 0
  return Array.from({ length: blocks }, (_, i) => {
    const length = numberAt(lengths, i)
    const content = new Uint8Array(bytes, at, length)
    at += length
    return { topic: namedAt(topics, i), messages: numberAt(messages, i), content }
  })
}

export const unpackDrafts = (packed: PackedDrafts): ReadonlyArray<ReadonlyArray<Draft>> => {
  const { keyedAt, keys, sizes } = packed
  const drafts: Array<Draft> = []
  for (const { content, messages, topic } of unpackBlocks(packed)) {
    const block = new Block(content, messages)
    for (let i = 0; i < messages; i++) {
      drafts.push({
        topic,
        id: block.id(i),
        createdAt: block.createdAt(i),
        headers: block.headers(i),
        payload: block.payload(i),
        key: keys?.[drafts.length],
        keyedAt: keyedAt?.[drafts.length],
      })
    }
  }
  if (sizes === undefined) return drafts.map((draft) => [draft])
  if (sizes.length === 1) return [drafts]
  let at = 0
  return Array.from(sizes, (size) => drafts.slice(at, (at += size)))
}

/** Where blocks were stored: of each, the places of its first message. */
export interface PackedPlaces {
  readonly offsets: NumberColumn
  readonly positions: NumberColumn
}

export const packPlaces = (places: ReadonlyArray<BlockPlace>): PackedPlaces => ({
  offsets: packNumbers(places.map((place) => place.offset)),
  positions: packNumbers(places.map((place) => place.position)),
})

/** The result of an append whose drafts were all stored, in the blocks that they were packed in. */
export const resultOfPlaces = (
  { blocks, messages }: Pick<PackedDrafts, "blocks" | "messages">,
  places: PackedPlaces,
): AppendResult => {
  const offsets: Array<number> = []
  const positions: Array<number> = []
  for (let block = 0; block < blocks; block++) {
    const offset = numberAt(places.offsets, block)
    const position = numberAt(places.positions, block)
    const count = numberAt(messages, block)
    for (let i = 0; i < count; i++) {
      offsets.push(offset + i)
      positions.push(position + i)
    }
  }
  return { offsets, positions, repeats: [], conflicts: [] }
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

/** What was new of messages that were accepted. Who has sent them has them: here is only what became of them. */
export interface PackedAccepted {
  readonly head: number
  readonly positions: NumberColumn
  readonly count: number
  /** Which of them are tombstones, from 0 on; absent where none is. */
  readonly deleted: ReadonlyArray<number> | undefined
}

export const packAccepted = ({ accepted, head }: AcceptResult): PackedAccepted => {
  const deleted: Array<number> = []
  for (let i = 0; i < accepted.length; i++) if (accepted[i]!.deleted) deleted.push(i)
  return {
    head,
    positions: packNumbers(accepted.map(({ position }) => position)),
    count: accepted.length,
    deleted: deleted.length === 0 ? undefined : deleted,
  }
}

/** The result of an accept of these messages. */
export const unpackAccepted = (
  { origin, topic }: LogId,
  messages: ReadonlyArray<ReplicatedMessage>,
  { count, deleted, head, positions }: PackedAccepted,
): AcceptResult => {
  const tombstones = new Set(deleted)
  const first = head - count + 1
  const accepted: Array<Message> = []
  for (const { createdAt, headers, id, offset, payload } of messages) {
    const index = accepted.length
    // What was there before is skipped, and so is what comes twice.
    if (offset !== first + index || index === count) continue
    const isTombstone = tombstones.has(index)
    accepted.push({
      topic,
      origin,
      offset,
      position: numberAt(positions, index),
      id,
      createdAt,
      headers: isTombstone ? noHeaders : headers,
      payload: isTombstone ? noPayload : payload,
      deleted: isTombstone,
    })
  }
  return { accepted, head }
}
