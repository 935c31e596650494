/**
 * Batches and pages for the way between threads: what is to be stored as blocks, which a store may keep as they are, what
 * was read as columns. What comes out equals what went in.
 *
 * Of each packed batch, `bytes` or `payloads.bytes` is to be transferred; the rest is cloned.
 */
import { type LogId, key as logKey } from "../../domain/LogId.ts"
import { type Message, noHeaders, noPayload } from "../../domain/Message.ts"
import { Block, BlockWriter, encodeBlocks } from "../parts/Block.ts"
import { replicasIn } from "../parts/ReplicaBlocks.ts"
import type {
  AcceptedRun,
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

/** Blocks, one after another in a buffer that can be transferred. */
interface PackedBlocks {
  readonly blocks: number
  /** Of each block: how many messages it holds, and its length in bytes. */
  readonly messages: NumberColumn
  readonly lengths: NumberColumn
  readonly bytes: ArrayBuffer
}

const packBlocks = (writers: ReadonlyArray<BlockWriter>): PackedBlocks => {
  const { bytes, lengths } = encodeBlocks(writers)
  return {
    blocks: writers.length,
    messages: packNumbers(writers.map((writer) => writer.count)),
    lengths: packNumbers(lengths),
    bytes: bytes.buffer,
  }
}

/** The blocks as they are: what a store takes that knows blocks. */
export const encodedBlocks = ({ blocks, bytes, lengths, messages }: PackedBlocks): ReadonlyArray<EncodedBlock> => {
  let at = 0
  return Array.from({ length: blocks }, (_, i) => {
    const length = numberAt(lengths, i)
    const content = new Uint8Array(bytes, at, length)
    at += length
    return { messages: numberAt(messages, i), content }
  })
}

/** Requests to append. */
export interface PackedDrafts extends PackedBlocks {
  /** How many drafts each request has; absent where each has one. */
  readonly sizes: Uint32Array | undefined
  /** Of each block. */
  readonly topics: NamedColumn<string>
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
  return {
    ...packBlocks(writers),
    sizes: areSingle ? undefined : Uint32Array.from(requests, (request) => request.length),
    topics: packNamed(topics, (topic) => topic),
    keys: hasKeys ? requests.flatMap((request) => request.map((draft) => draft.key)) : undefined,
    keyedAt: hasKeys ? requests.flatMap((request) => request.map((draft) => draft.keyedAt)) : undefined,
  }
}

/** The blocks with their topics: what is to be appended where no draft has a key. */
export const unpackBlocks = (packed: PackedDrafts): ReadonlyArray<DraftBlock> =>
  encodedBlocks(packed).map((block, i) => ({ ...block, topic: namedAt(packed.topics, i) }))

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
export interface PackedMessages {
  readonly count: number
  readonly logs: NamedColumn<LogId>
  readonly offsets: NumberColumn
  readonly positions: NumberColumn
  readonly ids: TextColumn
  readonly createdAt: NumberColumn
  readonly headers: HeadersColumn
  readonly payloads: PayloadColumn
  /** Absent where none is. */
  readonly deleted: ReadonlyArray<boolean> | undefined
}

export const packMessages = (messages: ReadonlyArray<Message>): PackedMessages => ({
  count: messages.length,
  logs: packLogs(messages),
  offsets: packNumbers(messages.map((message) => message.offset)),
  positions: packNumbers(messages.map((message) => message.position)),
  ids: packText(messages.map((message) => message.id)),
  createdAt: packNumbers(messages.map((message) => message.createdAt)),
  headers: packHeaders(messages.map((message) => message.headers)),
  payloads: packPayloads(messages.map((message) => message.payload)),
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
export interface PackedReplicas extends PackedBlocks {
  /** The first one's offset, where those of the others follow it one by one. */
  readonly first: number | undefined
  /** Absent where that says it all. */
  readonly offsets: NumberColumn | undefined
}

export const packReplicas = (messages: ReadonlyArray<ReplicatedMessage>): PackedReplicas => {
  const writers: Array<BlockWriter> = []
  const first = messages[0]?.offset ?? 1
  let isRun = true
  for (let i = 0; i < messages.length; i++) {
    const message = messages[i]!
    if (message.offset !== first + i) isRun = false
    const content = message.deleted ? { ...message, headers: noHeaders, payload: noPayload } : message
    if (writers.at(-1)?.add(content) !== true) {
      const writer = new BlockWriter()
      writer.add(content)
      writers.push(writer)
    }
  }
  return {
    ...packBlocks(writers),
    first: isRun ? first : undefined,
    offsets: isRun ? undefined : packNumbers(messages.map((message) => message.offset)),
  }
}

export const unpackReplicas = (packed: PackedReplicas): ReadonlyArray<ReplicatedMessage> => {
  const { first = 0, offsets } = packed
  return replicasIn(encodedBlocks(packed), (index) =>
    offsets === undefined ? first + index : numberAt(offsets, index),
  )
}

/** The messages of a batch that were accepted, as they are stored. */
export const acceptedOf = (
  { origin, topic }: LogId,
  messages: ReadonlyArray<ReplicatedMessage>,
  { count, deleted, head, position }: AcceptedRun,
): ReadonlyArray<Message> => {
  const accepted: Array<Message> = []
  const gone = new Set(deleted)
  const first = head - count + 1
  for (const { createdAt, deleted: cameDeleted, headers, id, offset, payload } of messages) {
    // What is there twice was stored once.
    if (offset !== first + accepted.length || accepted.length === count) continue
    const isGone = cameDeleted || gone.has(offset)
    accepted.push({
      topic,
      origin,
      offset,
      position: position + accepted.length,
      id,
      createdAt,
      headers: isGone ? noHeaders : headers,
      payload: isGone ? noPayload : payload,
      deleted: isGone,
    })
  }
  return accepted
}
