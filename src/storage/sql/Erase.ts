/**
 * Taking the content of stored messages away: what is left of them is their place, their id and their creation time.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { noHeaders, noPayload } from "../../domain/Message.ts"
import { contentDigest } from "../parts/Content.ts"
import type { OffsetRange } from "../parts/OffsetRanges.ts"
import { encodeBlock } from "../parts/Block.ts"
import { blockAt, type PlacedBlock, rewrite } from "./Blocks.ts"
import type { Session } from "./Session.ts"

/** Erases what ranges of a log, in ascending order, hold and is not erased yet. Gives how many messages that were. */
export const erase = (
  session: Session,
  log: number,
  ranges: ReadonlyArray<OffsetRange>,
): Effect.Effect<number, SqlError> =>
  Effect.gen(function* () {
    let erased = 0
    for (let i = 0, next = 0; i < ranges.length;) {
      const range = ranges[i]!
      const block = yield* blockAt(session, log, Math.max(next, range.first))
      if (block === undefined) break
      const inBlock: Array<number> = []
      for (; i < ranges.length; i++) {
        const { first, last } = ranges[i]!
        const from = Math.max(first, block.firstOffset)
        const to = Math.min(last, block.lastOffset)
        for (let offset = from; offset <= to; offset++) {
          const index = offset - block.firstOffset
          if (!block.contents[index]!.deleted) inBlock.push(index)
        }
        if (last > block.lastOffset) break
      }
      if (inBlock.length > 0) yield* eraseIn(session, block, inBlock)
      erased += inBlock.length
      next = block.lastOffset + 1
    }
    return erased
  })

/** Erases the messages of a block with these indices, in ascending order. */
const eraseIn = (session: Session, block: PlacedBlock, indices: ReadonlyArray<number>): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    const { contents, firstPosition, lastPosition } = block
    // A repeat of a deleted message must still be told from other content, for as long as its key is remembered.
    const keyed = yield* session.values(selectUndigested, [firstPosition, lastPosition])
    const keyedIndices = new Set(keyed.map(([position]) => (position as number) - firstPosition))
    for (const index of indices) {
      const { headers, payload } = contents[index]!
      if (keyedIndices.has(index)) {
        yield* session.run(updateDigest, [contentDigest(headers, payload), firstPosition + index])
      }
      contents[index] = { ...contents[index]!, headers: noHeaders, payload: noPayload, deleted: true }
    }
    yield* rewrite(session, lastPosition, encodeBlock(contents))
  })

const selectUndigested = "SELECT position FROM millrace_keys WHERE position BETWEEN ? AND ? AND digest IS NULL"
const updateDigest = "UPDATE millrace_keys SET digest = ? WHERE position = ?"
