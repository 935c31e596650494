/**
 * Filling a page with messages from rows of blocks.
 *
 * How large a block is, is known only once it has been read, and a thousand of them may be 100 kB or 3.5 GB. So rows
 * bring along only small ones; a larger one is read by itself, if there is still room in the page.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { blockMessagesMax } from "../parts/Block.ts"
import { PageBuilder } from "../parts/PageBuilder.ts"
import { type BlockRow, contentOf, lastPositionOf, placeOf } from "./Blocks.ts"
import type { Session } from "./Session.ts"

/** Rows in one read, at most: with `inlineBytesMax` this bounds what is read in vain. */
const rowsMax = 1024

// A block of many messages is small enough to be read for one of them; a message that is too large by itself stays.
const selectContent = `SELECT content FROM millrace_blocks
  WHERE last_position = ? AND (messages > 1 OR octet_length(content) <= ?)`

export class MessagePage extends PageBuilder {
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
      this.addBlock(placeOf(rows[i]!), content)
    }
    return rows.length
  }

  private addLarge(session: Session, rows: ReadonlyArray<BlockRow>, at: number): Effect.Effect<void, SqlError> {
    if (at >= rows.length || this.full) return Effect.void
    const row = rows[at]!
    return Effect.flatMap(session.values(selectContent, [lastPositionOf(row), this.bytesMax]), ([large]) => {
      if (large === undefined) {
        this.full = true
        return Effect.void
      }
      this.addBlock(placeOf(row), large[0] as Uint8Array)
      return this.addLarge(session, rows, this.addInline(rows, at + 1))
    })
  }
}
