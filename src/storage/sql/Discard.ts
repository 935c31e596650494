/**
 * Taking the end of a log away, as if it had never come.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { LogId } from "../../domain/LogId.ts"
import * as NodeId from "../../domain/NodeId.ts"
import type { DiscardResult } from "../LogStore.ts"
import { DamagedBlock, encodeBlock } from "../parts/Block.ts"
import type { LogRow } from "../parts/KnownLogs.ts"
import { openBlock } from "../parts/Page.ts"
import type { AppendContext } from "./Append.ts"
import { contentOf, firstOffsetOf, firstPositionOf, placeOf, selectAtOffset } from "./Blocks.ts"
import { refreshHead } from "./LogTable.ts"
import type { Session } from "./Session.ts"
import type { Written } from "./WriteTransaction.ts"

export const discard = (
  session: Session,
  { journal, keys, node }: AppendContext,
  log: LogId,
  from: number,
): Effect.Effect<Written<DiscardResult>, SqlError> =>
  Effect.gen(function* () {
    const row = journal.logs.find(log)
    if (row !== undefined && journal.sharing !== undefined) yield* refreshHead(session, row)
    const head = row?.head ?? 0
    const first = Math.max(from, 1)
    if (row === undefined || first > head) return { value: { head, discarded: 0 }, committed: () => undefined }
    const firstPosition = yield* cut(session, row, first)
    const forgotten = (yield* session.values(deleteKeys, [row.number, firstPosition])).length
    yield* session.run(updateHead, [first - 1, row.number])
    yield* session.run(moveEnd, [])
    yield* journal.sharing?.changedForeign(session, log) ?? Effect.void
    return {
      value: { head: first - 1, discarded: head - first + 1 },
      committed: () => {
        row.head = first - 1
        journal.end += 1
        if (NodeId.equals(log.origin, node)) keys.count -= forgotten
      },
    }
  })

const deleteBlocks = "DELETE FROM millrace_blocks WHERE log = ? AND last_offset >= ?"
const insertBlock =
  "INSERT INTO millrace_blocks (last_position, log, last_offset, messages, content) VALUES (?, ?, ?, ?, ?)"
const deleteKeys = "DELETE FROM millrace_keys WHERE log = ? AND position >= ? RETURNING position"
const updateHead = "UPDATE millrace_logs SET head = ? WHERE log = ?"
const moveEnd = "UPDATE millrace_journal SET last_discarded = last_position + 1, last_position = last_position + 1"

/** Removes a log's blocks from an offset on, and leaves of the first of them what is before. Gives the offset's position. */
const cut = (session: Session, { number }: LogRow, first: number): Effect.Effect<number, SqlError> =>
  Effect.gen(function* () {
    const [block] = yield* session.values(selectAtOffset, [number, first])
    if (block === undefined) throw new DamagedBlock(`log ${number} has no block with its offset ${first}`)
    yield* session.run(deleteBlocks, [number, first])
    const kept = first - firstOffsetOf(block)
    const firstPosition = firstPositionOf(block) + kept
    if (kept > 0) {
      const opened = openBlock(placeOf(block), contentOf(block)!)
      const content = encodeBlock(Array.from({ length: kept }, (_, index) => opened.content(index)))
      yield* session.run(insertBlock, [firstPosition - 1, number, first - 1, kept, content])
    }
    return firstPosition
  })
