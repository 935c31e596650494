/**
 * The table of blocks: its rows, and finding stored messages in it.
 *
 * A row is a run of the journal that belongs to one log, named by where it ends: the first row whose last position (or,
 * within a log, last offset) is not below the one that is looked for has the message. Within a block positions and
 * offsets go up by one, and no block is written by more than one commit.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { StoredContent } from "../parts/AcceptPlan.ts"
import { type BlockPosition, openBlock } from "../parts/Page.ts"
import type { Session } from "./Session.ts"

/**
 * The largest content that a row of many brings along, in bytes. A larger one is read by itself when it is its turn,
 * for a page may be full before.
 */
export const inlineBytesMax = 4096

/** The columns of a row; the last is null where the content is large. */
export const blockColumns = `last_position, log, last_offset, messages,
  CASE WHEN octet_length(content) <= ${inlineBytesMax} THEN content END`

export type BlockRow = ReadonlyArray<unknown>

export const lastPositionOf = (row: BlockRow): number => row[0] as number
export const logNumberOf = (row: BlockRow): number => row[1] as number
export const lastOffsetOf = (row: BlockRow): number => row[2] as number
export const messagesOf = (row: BlockRow): number => row[3] as number
export const contentOf = (row: BlockRow): Uint8Array | null => row[4] as Uint8Array | null
export const firstPositionOf = (row: BlockRow): number => lastPositionOf(row) - messagesOf(row) + 1
export const firstOffsetOf = (row: BlockRow): number => lastOffsetOf(row) - messagesOf(row) + 1

export const placeOf = (row: BlockRow): BlockPosition => ({
  logNumber: logNumberOf(row),
  messages: messagesOf(row),
  lastPosition: lastPositionOf(row),
  lastOffset: lastOffsetOf(row),
})

const allColumns = "last_position, log, last_offset, messages, content"
const selectAtPosition = `SELECT ${allColumns} FROM millrace_blocks
  WHERE last_position >= ? ORDER BY last_position LIMIT 1`
/** The first block of a log that reaches an offset. */
export const selectAtOffset = `SELECT ${allColumns} FROM millrace_blocks
  WHERE log = ? AND last_offset >= ? ORDER BY last_offset LIMIT 1`
const updateContent = "UPDATE millrace_blocks SET content = ? WHERE last_position = ?"

/** A stored message with its places. */
export interface Located {
  readonly offset: number
  readonly position: number
  readonly content: StoredContent
}

/** The messages at some positions, in ascending order; there must be a message at each. */
export const locate = (
  session: Session,
  positions: ReadonlyArray<number>,
): Effect.Effect<ReadonlyMap<number, Located>, SqlError> =>
  Effect.gen(function* () {
    const found = new Map<number, Located>()
    for (let i = 0; i < positions.length;) {
      const [row] = yield* session.values(selectAtPosition, [positions[i]])
      if (row === undefined) break
      const block = openBlock(placeOf(row), contentOf(row)!)
      for (; i < positions.length && positions[i]! <= lastPositionOf(row); i++) {
        const position = positions[i]!
        const index = position - firstPositionOf(row)
        found.set(position, { offset: firstOffsetOf(row) + index, position, content: block.content(index) })
      }
    }
    return found
  })

/** The messages of a log at some offsets, in ascending order, as far as they are stored. */
export const contentsAt = (
  session: Session,
  log: number,
  offsets: ReadonlyArray<number>,
): Effect.Effect<ReadonlyMap<number, StoredContent>, SqlError> =>
  Effect.gen(function* () {
    const found = new Map<number, StoredContent>()
    for (let i = 0; i < offsets.length;) {
      const [row] = yield* session.values(selectAtOffset, [log, offsets[i]])
      if (row === undefined) break
      const block = openBlock(placeOf(row), contentOf(row)!)
      for (; i < offsets.length && offsets[i]! <= lastOffsetOf(row); i++) {
        found.set(offsets[i]!, block.content(offsets[i]! - firstOffsetOf(row)))
      }
    }
    return found
  })

/** A block of a log with its place, to be changed and written back. */
export interface PlacedBlock {
  readonly firstOffset: number
  readonly lastOffset: number
  readonly firstPosition: number
  readonly lastPosition: number
  readonly contents: Array<StoredContent>
}

/** The first block of a log that reaches an offset. */
export const blockAt = (
  session: Session,
  log: number,
  offset: number,
): Effect.Effect<PlacedBlock | undefined, SqlError> =>
  Effect.map(session.values(selectAtOffset, [log, offset]), ([row]) => {
    if (row === undefined) return undefined
    const block = openBlock(placeOf(row), contentOf(row)!)
    return {
      firstOffset: firstOffsetOf(row),
      lastOffset: lastOffsetOf(row),
      firstPosition: firstPositionOf(row),
      lastPosition: lastPositionOf(row),
      contents: Array.from({ length: block.count }, (_, index) => block.content(index)),
    }
  })

/** Gives a stored block other content. */
export const rewrite = (
  session: Session,
  lastPosition: number,
  content: Uint8Array,
): Effect.Effect<unknown, SqlError> => session.run(updateContent, [content, lastPosition])
