/**
 * The journal's tables: reading blocks from them, and writing what was planned.
 */
import { noHeaders, noPayload } from "../../domain/Message.ts"
import type { StoredContent } from "../parts/AcceptPlan.ts"
import { type Block, DamagedBlock, encodeBlock } from "../parts/Block.ts"
import { contentDigest } from "../parts/Content.ts"
import type { JournalBlocks } from "../parts/JournalBlocks.ts"
import type { OffsetRange } from "../parts/OffsetRanges.ts"
import { openBlock } from "../parts/Page.ts"
import type { Tables } from "./Environment.ts"
import * as Keys from "./Keys.ts"
import {
  blockKey,
  logValue,
  long,
  offsetKey,
  offsetValue,
  place,
  readBlockKey,
  readLog,
  readLong,
  readOffset,
  short,
  type StoredBlock,
} from "./Layout.ts"
import type { KnownLogs, LogRow } from "../parts/KnownLogs.ts"

/** In the table `meta`. */
const endKey = Buffer.from("last_position")

/** The journal's last position. */
export const readEnd = ({ meta }: Tables): number => {
  const value = meta.get(endKey)
  return value === undefined ? 0 : readLong(value)
}

/** In the table `meta`. */
const lastDiscardedKey = Buffer.from("last_discarded")

/** The last position at which messages were discarded; 0 where none ever were. */
export const readLastDiscarded = ({ meta }: Tables): number => {
  const value = meta.get(lastDiscardedKey)
  return value === undefined ? 0 : readLong(value)
}

/** Reads the logs that are new in the database. */
export const catchUp = ({ logs }: Tables, known: KnownLogs): void => {
  for (const { key, value } of logs.rows(short(known.lastNumber + 1))) known.add(readLog(key, value))
}

/** Writes all that is new; within a transaction. */
export const writeJournal = (tables: Tables, write: JournalBlocks): void => {
  const { blocks, created, end, moved } = write.changes()
  for (const { head, row } of [...created, ...moved]) tables.logs.put(short(row.number), logValue(row.log, head))
  for (const { content, lastOffset, lastPosition, log, messages } of blocks) {
    putBlock(tables, { logNumber: log.number, lastOffset, lastPosition, messages, bytes: content.byteLength }, content)
  }
  if (end !== undefined) tables.meta.put(endKey, long(end))
}

const putBlock = ({ blocks, offsets }: Tables, block: StoredBlock, content: Uint8Array): void => {
  blocks.put(blockKey(block), content)
  offsets.put(offsetKey(block), offsetValue(block))
}

/**
 * Removes a log's blocks from an offset on, and leaves of the first of them what is before; within a transaction. The
 * journal's end moves to a position of its own.
 *
 * @returns the offset's position
 */
export const cut = (tables: Tables, { log, number }: LogRow, from: number, end: number): number => {
  const gone = Array.from(blocksOfLog(tables, number, from))
  const [first] = gone
  if (first === undefined) throw new DamagedBlock(`log ${number} has no block with its offset ${from}`)
  const kept = from - (first.lastOffset - first.messages + 1)
  const position = first.lastPosition - first.messages + 1 + kept
  const block = kept === 0 ? undefined : open(tables, first)
  for (const stored of gone) {
    tables.blocks.remove(blockKey(stored))
    tables.offsets.remove(offsetKey(stored))
  }
  if (block !== undefined) {
    const content = encodeBlock(Array.from({ length: kept }, (_, index) => block.content(index)))
    const place = { logNumber: number, lastOffset: from - 1, lastPosition: position - 1, messages: kept }
    putBlock(tables, { ...place, bytes: content.byteLength }, content)
  }
  tables.logs.put(short(number), logValue(log, from - 1))
  tables.meta.put(endKey, long(end))
  tables.meta.put(lastDiscardedKey, long(end))
  return position
}

/** The blocks of a log that end at an offset or after it, in order. */
export function* blocksOfLog({ offsets }: Tables, log: number, from: number): Generator<StoredBlock> {
  for (const { key, value } of offsets.rows(place(log, from), place(log + 1, 0))) yield readOffset(key, value)
}

/** The blocks that end at a position or after it, in order. */
export function* blocksFrom({ blocks }: Tables, position: number): Generator<StoredBlock> {
  for (const key of blocks.keys(long(position))) yield readBlockKey(key)
}

/** @throws DamagedBlock */
export const contentOf = ({ blocks }: Tables, block: StoredBlock): Uint8Array => {
  const content = blocks.get(blockKey(block))
  if (content !== undefined) return content
  throw new DamagedBlock(`the block that ends at position ${block.lastPosition} is not where its log says`)
}

const open = (tables: Tables, block: StoredBlock): Block => openBlock(block, contentOf(tables, block))

const firstOf = (blocks: Iterable<StoredBlock>): StoredBlock | undefined => {
  for (const block of blocks) return block
  return undefined
}

/** A stored message with its places. */
export interface Located {
  readonly offset: number
  readonly position: number
  readonly content: StoredContent
}

/** Finds messages by position. The block that was found last is kept: what is looked for is often in one. */
export const locator = (tables: Tables): ((position: number) => Located | undefined) => {
  let stored: StoredBlock | undefined
  let block: Block | undefined
  return (position) => {
    const isThere = (one: StoredBlock | undefined): one is StoredBlock =>
      one !== undefined && position <= one.lastPosition && position > one.lastPosition - one.messages
    if (!isThere(stored)) {
      stored = firstOf(blocksFrom(tables, position))
      if (!isThere(stored)) return undefined
      block = open(tables, stored)
    }
    const index = position - (stored.lastPosition - stored.messages + 1)
    return { position, offset: stored.lastOffset - stored.messages + 1 + index, content: block!.content(index) }
  }
}

/** Finds messages of a log by offset, in the same way. */
export const offsetLocator = (tables: Tables, log: number): ((offset: number) => StoredContent | undefined) => {
  let stored: StoredBlock | undefined
  let block: Block | undefined
  return (offset) => {
    const isThere = (one: StoredBlock | undefined): one is StoredBlock =>
      one !== undefined && offset <= one.lastOffset && offset > one.lastOffset - one.messages
    if (!isThere(stored)) {
      stored = firstOf(blocksOfLog(tables, log, offset))
      if (!isThere(stored)) return undefined
      block = open(tables, stored)
    }
    return block!.content(offset - (stored.lastOffset - stored.messages + 1))
  }
}

/**
 * Takes the content of stored messages away: what is left of them is their place, their id and their creation time.
 *
 * @param ranges offsets of the log, in ascending order
 * @returns how many messages were not erased before
 */
export const erase = (tables: Tables, log: number, ranges: ReadonlyArray<OffsetRange>): number => {
  let erased = 0
  let editing: EditedBlock | undefined
  for (const { first, last } of ranges) {
    for (let offset = first; offset <= last;) {
      if (editing === undefined || offset > editing.lastOffset) {
        erased += editing?.finish() ?? 0
        const stored = firstOf(blocksOfLog(tables, log, offset))
        editing = stored === undefined ? undefined : new EditedBlock(tables, stored)
        if (editing === undefined) return erased
      }
      const to = Math.min(last, editing.lastOffset)
      editing.erase(offset, to)
      offset = to + 1
    }
  }
  return erased + (editing?.finish() ?? 0)
}

/** A stored block whose messages are being erased. */
class EditedBlock {
  readonly lastOffset: number
  private readonly tables: Tables
  private readonly stored: StoredBlock
  private readonly contents: Array<StoredContent>
  private readonly isKeyed: (position: number) => boolean
  private erased = 0

  constructor(tables: Tables, stored: StoredBlock) {
    const block = open(tables, stored)
    this.tables = tables
    this.stored = stored
    this.lastOffset = stored.lastOffset
    this.contents = Array.from({ length: block.count }, (_, index) => block.content(index))
    this.isKeyed = Keys.undigested(tables, stored.lastPosition - stored.messages + 1, stored.lastPosition)
  }

  erase(from: number, to: number): void {
    const { contents, stored } = this
    const firstOffset = stored.lastOffset - stored.messages + 1
    for (let index = Math.max(from - firstOffset, 0); index <= to - firstOffset; index++) {
      const content = contents[index]!
      if (content.deleted) continue
      const position = stored.lastPosition - stored.messages + 1 + index
      // A repeat of a deleted message must still be told from other content, for as long as its key is remembered.
      if (this.isKeyed(position)) Keys.digest(this.tables, position, contentDigest(content.headers, content.payload))
      contents[index] = { ...content, headers: noHeaders, payload: noPayload, deleted: true }
      this.erased += 1
    }
  }

  /** Writes it back, where anything has changed. Gives how many messages were erased. */
  finish(): number {
    const { erased, stored, tables } = this
    if (erased === 0) return 0
    const content = encodeBlock(this.contents)
    tables.blocks.remove(blockKey(stored))
    putBlock(tables, { ...stored, bytes: content.byteLength }, content)
    return erased
  }
}
