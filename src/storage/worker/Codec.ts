/**
 * Batches and pages for the way between threads: what is to be stored as blocks, which a store may keep as they are, what
 * was read as columns. What comes out equals what went in.
 *
 * Of each packed batch, `bytes` or `payloads.bytes` is to be transferred; the rest is cloned.
 */
import { type LogId, key as logKey } from "../../domain/LogId.ts"
import type { Message } from "../../domain/Message.ts"
import { Block, BlockWriter, encodeBlocks } from "../parts/Block.ts"
import { blockWriters, replicasIn } from "../parts/ReplicaBlocks.ts"
import type { AppendResult, BlockPlace, Draft, DraftBlock, EncodedBlock, ReplicatedMessage } from "../LogStore.ts"
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

const packWriters = (writers: ReadonlyArray<BlockWriter>): PackedBlocks => {
  const { bytes, lengths } = encodeBlocks(writers)
  return {
    blocks: writers.length,
    messages: packNumbers(writers.map((writer) => writer.count)),
    lengths: packNumbers(lengths),
    bytes: bytes.buffer,
  }
}

const packBlocks = (blocks: ReadonlyArray<EncodedBlock>): PackedBlocks => {
  const lengths = blocks.map(({ content }) => content.byteLength)
  const bytes = Buffer.allocUnsafeSlow(lengths.reduce((sum, length) => sum + length, 0))
  let at = 0
  for (const { content } of blocks) {
    bytes.set(content, at)
    at += content.byteLength
  }
  return {
    blocks: blocks.length,
    messages: packNumbers(blocks.map(({ messages }) => messages)),
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
    ...packWriters(writers),
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
  const first = messages[0]?.offset ?? 1
  const isRun = messages.every(({ offset }, index) => offset === first + index)
  return {
    ...packWriters(blockWriters(messages)),
    first: isRun ? first : undefined,
    offsets: isRun ? undefined : packNumbers(messages.map((message) => message.offset)),
  }
}

/** The same of messages that are encoded, and follow one another. */
export const packRun = (first: number, blocks: ReadonlyArray<EncodedBlock>): PackedReplicas => ({
  ...packBlocks(blocks),
  first,
  offsets: undefined,
})

export const unpackReplicas = (packed: PackedReplicas): ReadonlyArray<ReplicatedMessage> => {
  const { first = 0, offsets } = packed
  return replicasIn(encodedBlocks(packed), (index) =>
    offsets === undefined ? first + index : numberAt(offsets, index),
  )
}
