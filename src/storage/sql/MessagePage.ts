/**
 * Filling a page with messages from blocks, within its bounds.
 *
 * How large a block is, is known only once it has been read, and a thousand of them may be 100 kB or 3.5 GB. So rows
 * bring along only small ones; a larger one is read by itself, if there is still room in the page.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Message } from "../../domain/Message.ts"
import { blockMessagesMax } from "../Block.ts"
import type { PageLimit } from "../LogStore.ts"
import {
  type BlockRow,
  contentOf,
  firstOffsetOf,
  firstPositionOf,
  lastPositionOf,
  logNumberOf,
  openBlock,
} from "./Blocks.ts"
import type { LogTable } from "./LogTable.ts"
import type { Session } from "./Session.ts"

/** Rows in one read, at most: with `inlineBytesMax` this bounds what is read in vain. */
const rowsMax = 1024

/** What a block of one message has beside headers and payload, at most about, in bytes. */
const frameBytes = 256

// A block of many messages is small enough to be read for one of them; a message that is too large by itself stays.
const selectContent = `SELECT content FROM millrace_blocks
  WHERE last_position = ? AND (messages > 1 OR octet_length(content) <= ?)`

/** Where a page begins: at the first message that is beyond the position and not below the offset. */
export interface PageStart {
  readonly afterPosition: number
  readonly fromOffset: number
}

export class MessagePage {
  readonly messages: Array<Message> = []
  /** Whether nothing more goes in. */
  full = false
  private bytes = 0
  private readonly logs: LogTable
  private readonly limit: PageLimit
  private readonly start: PageStart

  constructor(logs: LogTable, limit: PageLimit, start: PageStart) {
    this.logs = logs
    this.limit = limit
    this.start = start
  }

  /** Position of the last message; 0 where there is none. */
  get lastPosition(): number {
    return this.messages.at(-1)?.position ?? 0
  }

  /** How many messages the page still takes, as far as their number goes. */
  private get room(): number {
    return Math.max(this.limit.rows, 1) - this.messages.length
  }

  /** How many rows are worth reading next. */
  get wanted(): number {
    return Math.min(this.room, rowsMax)
  }

  /** How far beyond its last message the rows of a page may end: a row takes the page's room, and part of a block more. */
  get reach(): number {
    return this.wanted + blockMessagesMax
  }

  /** Adds rows as far as they fit, reading large content where needed. */
  addAll(session: Session, rows: ReadonlyArray<BlockRow>): Effect.Effect<void, SqlError> {
    const stopped = this.addInline(rows, 0)
    return stopped === rows.length ? Effect.void : this.addLarge(session, rows, stopped)
  }

  /** Adds rows from an index on. Gives the index of a row whose content is large, or the rows' number. */
  private addInline(rows: ReadonlyArray<BlockRow>, from: number): number {
    for (let i = from; i < rows.length && !this.full; i++) {
      const content = contentOf(rows[i]!)
      if (content === null) return i
      this.addBlock(rows[i]!, content)
    }
    return rows.length
  }

  private addLarge(session: Session, rows: ReadonlyArray<BlockRow>, at: number): Effect.Effect<void, SqlError> {
    if (at >= rows.length || this.full) return Effect.void
    const row = rows[at]!
    const room = this.messages.length === 0 ? Number.MAX_SAFE_INTEGER : this.limit.bytes - this.bytes + frameBytes
    return Effect.flatMap(session.values(selectContent, [lastPositionOf(row), room]), ([large]) => {
      if (large === undefined) {
        this.full = true
        return Effect.void
      }
      this.addBlock(row, large[0] as Uint8Array)
      return this.addLarge(session, rows, this.addInline(rows, at + 1))
    })
  }

  private addBlock(row: BlockRow, content: Uint8Array): void {
    const { limit, messages, start } = this
    const block = openBlock(row, content)
    const { origin, topic } = this.logs.get(logNumberOf(row)).log
    const firstPosition = firstPositionOf(row)
    const firstOffset = firstOffsetOf(row)
    let index = Math.max(0, start.afterPosition + 1 - firstPosition, start.fromOffset - firstOffset)
    for (; index < block.count && !this.full; index++) {
      const bytes = block.bytes(index)
      if (messages.length > 0 && this.bytes + bytes > limit.bytes) {
        this.full = true
        return
      }
      messages.push({
        topic,
        origin,
        offset: firstOffset + index,
        position: firstPosition + index,
        id: block.id(index),
        createdAt: block.createdAt(index),
        headers: block.headers(index),
        payload: block.payload(index),
        deleted: block.isDeleted(index),
      })
      this.bytes += bytes
      if (messages.length >= limit.rows || this.bytes >= limit.bytes) this.full = true
    }
  }
}
