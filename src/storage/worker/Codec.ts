/**
 * Batches and pages for the way between threads: drafts as blocks, which a store may keep as they are, messages as
 * columns. What comes out equals what went in.
 *
 * Of each packed batch, `bytes` or `payloads.bytes` is to be transferred; the rest is cloned.
 */
import { type LogId, key as logKey } from "../../domain/LogId.ts"
import { type Headers, type Message, noHeaders, noPayload } from "../../domain/Message.ts"
import { Block, BlockWriter, encodeBlocks } from "../parts/Block.ts"
import type {
  AcceptResult,
  AppendResult,
  BlockPlace,
  Draft,
  DraftBlock,
  EncodedBlock,
  ReplicatedMessage,
} from "../LogStore.ts"
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

/** What stored messages have beside their places. */
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
export const unpackBlocks = (packed: PackedDrafts): ReadonlyArray<DraftBlock> =>
  blocksOf(packed).map((block, i) => ({ topic: namedAt(packed.topics, i), ...block }))

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

/** Messages of another node: blocks, one after another in a buffer that can be transferred. */
export interface PackedReplicas {
  readonly offsets: NumberColumn
  /** The offset of the first one, where they follow one another and none is a tombstone: then their blocks can be stored. */
  readonly first: number | undefined
  readonly blocks: number
  /** Of each block: how many messages it holds, and its length in bytes. */
  readonly messages: NumberColumn
  readonly lengths: NumberColumn
  readonly bytes: ArrayBuffer
}

export const packReplicas = (messages: ReadonlyArray<ReplicatedMessage>): PackedReplicas => {
  const writers: Array<BlockWriter> = []
  const first = messages[0]?.offset
  let writer: BlockWriter | undefined
  let isPlain = first !== undefined
  for (let i = 0; i < messages.length; i++) {
    const message = messages[i]!
    if (message.deleted || message.offset !== first! + i) isPlain = false
    if (writer === undefined || !writer.add(message)) {
      writer = new BlockWriter()
      writer.add(message)
      writers.push(writer)
    }
  }
  const { bytes, lengths } = encodeBlocks(writers)
  return {
    offsets: packNumbers(messages.map(({ offset }) => offset)),
    first: isPlain ? first : undefined,
    blocks: writers.length,
    messages: packNumbers(writers.map((writer) => writer.count)),
    lengths: packNumbers(lengths),
    bytes: bytes.buffer,
  }
}

/** The blocks as they are. */
export const blocksOf = ({
  blocks,
  bytes,
  lengths,
  messages,
}: Pick<PackedReplicas, "blocks" | "bytes" | "lengths" | "messages">): ReadonlyArray<EncodedBlock> => {
  let at = 0
  return Array.from({ length: blocks }, (_, i) => {
    const length = numberAt(lengths, i)
    const content = new Uint8Array(bytes, at, length)
    at += length
    return { messages: numberAt(messages, i), content }
  })
}

export const unpackReplicas = (packed: PackedReplicas): ReadonlyArray<ReplicatedMessage> => {
  const replicas: Array<ReplicatedMessage> = []
  for (const { content, messages } of blocksOf(packed)) {
    const block = new Block(content, messages)
    for (let i = 0; i < messages; i++) {
      const offset = numberAt(packed.offsets, replicas.length)
      replicas.push({ offset, ...block.content(i) })
    }
  }
  return replicas
}

/** What was new of messages that were accepted. Who has sent them has them: here is only what became of them. */
export interface PackedAccepted {
  readonly head: number
  readonly count: number
  /** Position of the first one; the others follow it. */
  readonly position: number
  /** Which of them are tombstones, from 0 on; absent where none is. */
  readonly deleted: ReadonlyArray<number> | undefined
}

export const packAccepted = ({ accepted, head }: AcceptResult): PackedAccepted => {
  const deleted: Array<number> = []
  const position = accepted[0]?.position ?? 0
  for (let i = 0; i < accepted.length; i++) {
    if (accepted[i]!.deleted) deleted.push(i)
    if (accepted[i]!.position !== position + i) throw new Error("what one commit has stored is not in one place")
  }
  return { head, count: accepted.length, position, deleted: deleted.length === 0 ? undefined : deleted }
}

/** The result of an accept of these messages. */
export const unpackAccepted = (
  { origin, topic }: LogId,
  messages: ReadonlyArray<ReplicatedMessage>,
  { count, deleted, head, position }: PackedAccepted,
): AcceptResult => {
  const tombstones = deleted === undefined ? undefined : new Set(deleted)
  const first = head - count + 1
  const accepted: Array<Message> = []
  for (const { createdAt, headers, id, offset, payload } of messages) {
    const index = accepted.length
    if (index === count) break
    // What was there before is skipped, and so is what comes twice.
    if (offset !== first + index) continue
    const isTombstone = tombstones?.has(index) === true
    accepted.push({
      topic,
      origin,
      offset,
      position: position + index,
      id,
      createdAt,
      headers: isTombstone ? noHeaders : headers,
      payload: isTombstone ? noPayload : payload,
      deleted: isTombstone,
    })
  }
  return { accepted, head }
}
