/**
 * Filling a page from rows of blocks.
 *
 * How large a block is, is known only once it has been read, and a thousand of them may be 100 kB or 3.5 GB. So rows
 * bring along only small ones; a larger one is read by itself, if there is still room in the page.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { blockMessagesMax } from "../parts/Block.ts"
import type { Page } from "../parts/Page.ts"
import { type BlockRow, contentOf, lastPositionOf, placeOf } from "./Blocks.ts"
import type { Session } from "./Session.ts"

/** Rows in one read, at most: with `inlineBytesMax` this bounds what is read in vain. */
const rowsMax = 1024

// A block of many messages is small enough to be read for one of them; a message that is too large by itself stays.
const selectContent = `SELECT content FROM millrace_blocks
  WHERE last_position = ? AND (messages > 1 OR octet_length(content) <= ?)`

/** How many rows are worth reading next. */
export const wanted = ({ room }: Page): number => Math.min(room, rowsMax)

/** How far beyond its last message the rows of a page may end: a row takes the page's room, and part of a block more. */
export const reach = (page: Page): number => wanted(page) + blockMessagesMax

/** Adds rows as far as they fit, reading large content where needed. */
export const addAll = (session: Session, page: Page, rows: ReadonlyArray<BlockRow>): Effect.Effect<void, SqlError> => {
  const stopped = addInline(page, rows, 0)
  return stopped === rows.length ? Effect.void : addLarge(session, page, rows, stopped)
}

/** Adds rows from an index on. Gives the index of a row whose content is large, or the rows' number. */
const addInline = (page: Page, rows: ReadonlyArray<BlockRow>, from: number): number => {
  for (let i = from; i < rows.length && !page.full; i++) {
    const content = contentOf(rows[i]!)
    if (content === null) return i
    page.addBlock(placeOf(rows[i]!), content)
  }
  return rows.length
}

const addLarge = (
  session: Session,
  page: Page,
  rows: ReadonlyArray<BlockRow>,
  at: number,
): Effect.Effect<void, SqlError> => {
  if (at >= rows.length || page.full) return Effect.void
  const row = rows[at]!
  return Effect.flatMap(session.values(selectContent, [lastPositionOf(row), page.bytesMax]), ([large]) => {
    if (large === undefined) {
      page.full = true
      return Effect.void
    }
    page.addBlock(placeOf(row), large[0] as Uint8Array)
    return addLarge(session, page, rows, addInline(page, rows, at + 1))
  })
}
