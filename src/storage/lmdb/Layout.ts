/**
 * How the tables of a store are written in LMDB: keys, whose bytes sort as what they say, and values.
 *
 * Numbers in keys are big-endian: positions, offsets and sequences in 8 bytes, numbers of logs and queues, counts and
 * lengths in 4. What has to be known of a block without reading it stands in its key, so that looking for blocks touches
 * no content. Both kinds of blocks are named by where they end: the first one that does not end before a place has it.
 *
 *     table          key                                          value
 *     meta           name                                         text: format, node, incarnation, state; counters
 *     logs           log                                          head (8), then topic, tenant, line, device as JSON
 *     blocks         last position, log, last offset,             the block (`storage/Block`)
 *                    messages, bytes
 *     offsets        log, last offset                             last position, messages, bytes
 *     deleted        log, first offset                            last offset
 *     keys           position                                     log, when it was used (float64), digest, name
 *     key_names      log, 16 bytes of SHA-256 of the name         position
 *     queues         name                                         its number, first and last sequence, attempts
 *     queue_blocks   queue, last sequence, items, bytes           length (4) of what the items are about, that, the block
 *     cursors        name                                         JSON
 *     records        key, or how it begins and its SHA-256        length (4) of the key, that, the text
 */
import { hash } from "node:crypto"
import type { LogId } from "../../domain/LogId.ts"
import type { StoredCursor } from "../CursorStore.ts"
import type { StoredItemBlock } from "../parts/ItemBlock.ts"
import type { LogRow } from "../parts/KnownLogs.ts"
import type { QueueEnds } from "../parts/QueuePlan.ts"
import { keyRange } from "../parts/recordKeys.ts"
import type { StoredRecord } from "../RecordStore.ts"
import type { BlockPosition } from "../parts/Page.ts"

/** The tables by name. */
export const tableNames = [
  "meta",
  "logs",
  "blocks",
  "offsets",
  "deleted",
  "keys",
  "key_names",
  "queues",
  "queue_blocks",
  "cursors",
  "records",
] as const

export type TableName = (typeof tableNames)[number]

/** The version of all this. */
export const formatVersion = 1

const half = 2 ** 32

const putLong = (bytes: Buffer, number: number, at: number): void => {
  bytes.writeUInt32BE(Math.floor(number / half), at)
  bytes.writeUInt32BE(number % half, at + 4)
}

const longAt = (bytes: Buffer, at: number): number => bytes.readUInt32BE(at) * half + bytes.readUInt32BE(at + 4)

/** A position, an offset or a counter by itself. */
export const long = (number: number): Buffer => {
  const bytes = Buffer.allocUnsafe(8)
  putLong(bytes, number, 0)
  return bytes
}

export const readLong = (bytes: Buffer): number => longAt(bytes, 0)

/** The number of a log or a queue. */
export const short = (number: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(number, 0)
  return bytes
}

export const readShort = (bytes: Buffer): number => bytes.readUInt32BE(0)

/** A place in a log or a queue. Also what keys of its rows begin with. */
export const place = (number: number, at: number): Buffer => {
  const bytes = Buffer.allocUnsafe(12)
  bytes.writeUInt32BE(number, 0)
  putLong(bytes, at, 4)
  return bytes
}

export const readPlace = (bytes: Buffer): { readonly number: number; readonly at: number } => ({
  number: bytes.readUInt32BE(0),
  at: longAt(bytes, 4),
})

/** Where a block is, and how long it is. */
export interface StoredBlock extends BlockPosition {
  readonly bytes: number
}

export const blockKey = ({ bytes, lastOffset, lastPosition, logNumber, messages }: StoredBlock): Buffer => {
  const key = Buffer.allocUnsafe(28)
  putLong(key, lastPosition, 0)
  key.writeUInt32BE(logNumber, 8)
  putLong(key, lastOffset, 12)
  key.writeUInt32BE(messages, 20)
  key.writeUInt32BE(bytes, 24)
  return key
}

export const readBlockKey = (key: Buffer): StoredBlock => ({
  lastPosition: longAt(key, 0),
  logNumber: key.readUInt32BE(8),
  lastOffset: longAt(key, 12),
  messages: key.readUInt32BE(20),
  bytes: key.readUInt32BE(24),
})

export const offsetKey = ({ lastOffset, logNumber }: StoredBlock): Buffer => place(logNumber, lastOffset)

export const offsetValue = ({ bytes, lastPosition, messages }: StoredBlock): Buffer => {
  const value = Buffer.allocUnsafe(16)
  putLong(value, lastPosition, 0)
  value.writeUInt32BE(messages, 8)
  value.writeUInt32BE(bytes, 12)
  return value
}

export const readOffset = (key: Buffer, value: Buffer): StoredBlock => ({
  logNumber: key.readUInt32BE(0),
  lastOffset: longAt(key, 4),
  lastPosition: longAt(value, 0),
  messages: value.readUInt32BE(8),
  bytes: value.readUInt32BE(12),
})

export const logValue = ({ origin, topic }: LogId, head: number): Buffer =>
  Buffer.concat([long(head), Buffer.from(JSON.stringify([topic, origin.tenant, origin.line, origin.device]))])

export const readLog = (key: Buffer, value: Buffer): LogRow => {
  const [topic, tenant, line, device] = JSON.parse(value.toString("utf8", 8)) as [string, string, string, string]
  return { number: readShort(key), head: longAt(value, 0), log: { topic, origin: { tenant, line, device } } }
}

/** What is remembered under a key, beside its position. */
export interface KeyEntry {
  readonly log: number
  readonly name: string
  readonly keyedAt: number
  /** Of the message's content, once that is deleted. */
  readonly digest: Uint8Array | undefined
}

export const keyValue = ({ digest, keyedAt, log, name }: KeyEntry): Buffer => {
  const head = Buffer.allocUnsafe(13)
  head.writeUInt32BE(log, 0)
  head.writeDoubleBE(keyedAt, 4)
  head.writeUInt8(digest?.byteLength ?? 0, 12)
  return Buffer.concat([head, digest ?? Buffer.alloc(0), Buffer.from(name)])
}

export const readKey = (value: Buffer): KeyEntry => {
  const nameFrom = 13 + value.readUInt8(12)
  return {
    log: value.readUInt32BE(0),
    keyedAt: value.readDoubleBE(4),
    digest: nameFrom === 13 ? undefined : value.subarray(13, nameFrom),
    name: value.toString("utf8", nameFrom),
  }
}

/** Names are longer than a key may be. So many bits belong to no two of them. */
export const keyNameKey = (log: number, name: string): Buffer =>
  Buffer.concat([short(log), hash("sha256", name, "buffer").subarray(0, 16)])

export interface StoredQueue {
  readonly number: number
  readonly name: string
  readonly ends: QueueEnds
}

export const queueKey = (name: string): Buffer => Buffer.from(name)

export const queueValue = ({ ends, number }: StoredQueue): Buffer =>
  Buffer.concat([short(number), long(ends.firstSequence), long(ends.lastSequence), long(ends.attempts)])

export const readQueue = (key: Buffer, value: Buffer): StoredQueue => ({
  number: readShort(value),
  name: key.toString(),
  ends: { firstSequence: longAt(value, 4), lastSequence: longAt(value, 12), attempts: longAt(value, 20) },
})

/** Where a block of items is, and how long it is. */
export interface StoredItems {
  readonly queue: number
  readonly lastSequence: number
  readonly items: number
  readonly bytes: number
}

export const itemsKey = ({ bytes, items, lastSequence, queue }: StoredItems): Buffer => {
  const key = Buffer.allocUnsafe(20)
  key.writeUInt32BE(queue, 0)
  putLong(key, lastSequence, 4)
  key.writeUInt32BE(items, 12)
  key.writeUInt32BE(bytes, 16)
  return key
}

export const readItemsKey = (key: Buffer): StoredItems => ({
  queue: key.readUInt32BE(0),
  lastSequence: longAt(key, 4),
  items: key.readUInt32BE(12),
  bytes: key.readUInt32BE(16),
})

export const itemsValue = ({ about, content }: StoredItemBlock): Buffer => {
  const aboutBytes = Buffer.byteLength(about)
  const value = Buffer.allocUnsafe(4 + aboutBytes + content.byteLength)
  value.writeUInt32BE(aboutBytes, 0)
  value.write(about, 4)
  value.set(content, 4 + aboutBytes)
  return value
}

/** The block's content is the caller's own. */
export const readItems = ({ items, lastSequence }: StoredItems, value: Buffer): StoredItemBlock => {
  const contentFrom = 4 + value.readUInt32BE(0)
  return {
    items,
    lastSequence,
    about: value.toString("utf8", 4, contentFrom),
    content: new Uint8Array(value.subarray(contentFrom)),
  }
}

/** Before every name: none is empty. */
export const firstName = Buffer.from([0])

export const cursorKey = (name: string): Buffer => Buffer.from(name)

export const cursorValue = ({ epoch, movedAt, origin, position, topics }: StoredCursor): Buffer => {
  const node = origin === undefined ? null : [origin.tenant, origin.line, origin.device]
  return Buffer.from(JSON.stringify([topics, node, position, epoch, movedAt]))
}

type CursorText = readonly [
  topics: string,
  node: readonly [string, string, string] | null,
  position: number,
  epoch: number,
  movedAt: number,
]

export const readCursor = (key: Buffer, value: Buffer): StoredCursor => {
  const [topics, node, position, epoch, movedAt] = JSON.parse(value.toString()) as CursorText
  const origin = node === null ? undefined : { tenant: node[0], line: node[1], device: node[2] }
  return { name: key.toString(), topics, origin, position, epoch, movedAt }
}

/** Keys of records may be longer than LMDB's. */
const recordKeyBytesMax = 1024

export const recordKey = (key: string): Buffer => {
  const bytes = Buffer.from(key)
  if (bytes.byteLength <= recordKeyBytesMax) return bytes
  return Buffer.concat([bytes.subarray(0, recordKeyBytesMax), hash("sha256", bytes, "buffer")])
}

/** Where the keys are that begin with a prefix, among others that begin with its first bytes. */
export const recordKeyRange = (prefix: Buffer): ReturnType<typeof keyRange> => {
  const { before, from } = keyRange(prefix.subarray(0, recordKeyBytesMax))
  return { from: from.byteLength === 0 ? firstName : from, before }
}

export const recordValue = ({ key, value }: StoredRecord): Buffer =>
  Buffer.concat([short(Buffer.byteLength(key)), Buffer.from(key), Buffer.from(value)])

export const readRecord = (bytes: Buffer): StoredRecord => {
  const valueFrom = 4 + readShort(bytes)
  return { key: bytes.toString("utf8", 4, valueFrom), value: bytes.toString("utf8", valueFrom) }
}
