/**
 * Deleting ranges: the messages that are there lose their content, and the range is remembered for those to come.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { payload as markerPayload } from "../../domain/DeleteMarker.ts"
import { noHeaders } from "../../domain/Message.ts"
import type { NodeId } from "../../domain/NodeId.ts"
import { deleteMarkers } from "../../domain/Topic.ts"
import type { TombstoneRequest, TombstoneResult } from "../LogStore.ts"
import { add, covers, type OffsetRange } from "../parts/OffsetRanges.ts"
import { erase } from "./Erase.ts"
import { type JournalState, JournalWrite } from "./JournalWrite.ts"
import { refreshHead } from "./LogTable.ts"
import type { Session } from "./Session.ts"
import type { Written } from "./WriteTransaction.ts"

const nothingDeleted: Written<TombstoneResult> = { value: { deleted: 0, marker: undefined }, committed: () => {} }

export const tombstone = (
  session: Session,
  node: NodeId,
  journal: JournalState,
  { log, from, to, marker }: TombstoneRequest,
): Effect.Effect<Written<TombstoneResult>, SqlError> =>
  Effect.gen(function* () {
    const row = journal.logs.find(log)
    if (row !== undefined && journal.sharing !== undefined) yield* refreshHead(session, row)
    const head = row?.head ?? 0
    const first = Math.max(from, 1)
    const last = marker === undefined ? to : Math.min(to, head)
    if (last < first) return nothingDeleted
    const write = new JournalWrite(journal)
    const { number } = write.log(log).row
    yield* addRange(session, number, { first, last })
    const deleted = yield* erase(session, number, [{ first, last: Math.min(last, head) }])
    let appended: TombstoneResult["marker"]
    if (deleted > 0 && marker !== undefined) {
      const markers = write.log({ topic: deleteMarkers, origin: node })
      const { createdAt, id } = marker
      const payload = markerPayload({ log, from: first, to: last, createdAt })
      write.add(markers, { id, createdAt, headers: noHeaders, payload })
      appended = write.last()
    }
    yield* write.flush(session)
    if (row === undefined) yield* journal.sharing?.changedForeign(session, log) ?? Effect.void
    return { value: { deleted, marker: appended }, committed: () => write.committed() }
  })

// Ranges do not overlap, so of those that begin before the one asked for only the last can reach into it.
const selectRanges = `SELECT first_offset, last_offset FROM millrace_tombstones
  WHERE log = ? AND first_offset <= ? AND last_offset >= ? AND first_offset >= coalesce(
    (SELECT max(first_offset) FROM millrace_tombstones WHERE log = ? AND first_offset <= ?), 0)
  ORDER BY first_offset`
const deleteRange = "DELETE FROM millrace_tombstones WHERE log = ? AND first_offset = ?"
const insertRange = "INSERT INTO millrace_tombstones (log, first_offset, last_offset) VALUES (?, ?, ?)"

/** What a log remembers of its deletions between two offsets. */
export const readRanges = (
  session: Session,
  number: number,
  { first, last }: OffsetRange,
): Effect.Effect<ReadonlyArray<OffsetRange>, SqlError> =>
  Effect.map(session.values(selectRanges, [number, last, first, number, first]), (rows) =>
    rows.map(([first, last]) => ({ first: first as number, last: last as number })),
  )

/** Remembers a range; those that overlap or touch become one. */
const addRange = (session: Session, number: number, range: OffsetRange): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    // One more offset at either end, for ranges that touch.
    const near = yield* readRanges(session, number, { first: range.first - 1, last: range.last + 1 })
    if (covers(near, range)) return
    for (const { first } of near) yield* session.run(deleteRange, [number, first])
    for (const { first, last } of add(near, range)) yield* session.run(insertRange, [number, first, last])
  })
