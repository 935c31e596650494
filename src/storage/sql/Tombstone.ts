/**
 * Deleting ranges: the messages that are there lose their content, and the range is remembered for those to come.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { payload as markerPayload } from "../../domain/DeleteMarker.ts"
import { noHeaders } from "../../domain/Message.ts"
import type { NodeId } from "../../domain/NodeId.ts"
import { deleteMarkers } from "../../domain/Topic.ts"
import { contentDigest, headersFromText } from "../Content.ts"
import type { TombstoneRequest, TombstoneResult } from "../LogStore.ts"
import { add, covers, type OffsetRange } from "../OffsetRanges.ts"
import { type JournalState, JournalWrite } from "./JournalWrite.ts"
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
    const head = journal.logs.find(log)?.head ?? 0
    const first = Math.max(from, 1)
    const last = marker === undefined ? to : Math.min(to, head)
    if (last < first) return nothingDeleted
    const write = new JournalWrite(journal)
    const { number } = write.log(log).row
    yield* addRange(session, number, { first, last })
    const range = [number, first, Math.min(last, head)]
    const [[counted] = []] = yield* session.values(countUndeleted, range)
    const deleted = counted as number
    if (deleted > 0) {
      yield* digestKeys(session, number, { first, last: Math.min(last, head) })
      yield* session.run(eraseRange, range)
    }
    let appended: TombstoneResult["marker"]
    if (deleted > 0 && marker !== undefined) {
      const markers = write.log({ topic: deleteMarkers, origin: node })
      const { createdAt, id } = marker
      const payload = markerPayload({ log, from: first, to: last, createdAt })
      write.add(markers, { id, createdAt, headers: noHeaders, payload }, false)
      appended = write.last(markers)
    }
    yield* session.runAll(write.statements())
    return { value: { deleted, marker: appended }, committed: () => write.committed() }
  })

const inRange = "WHERE log = ? AND log_offset BETWEEN ? AND ? AND deleted = 0"
const countUndeleted = `SELECT count(*) FROM millrace_messages ${inRange}`
const eraseRange = `UPDATE millrace_messages SET deleted = 1, headers = NULL, payload = x'' ${inRange}`

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

// The positions of a log's messages grow with their offsets, so the range is one of positions too.
const selectUndigested = `SELECT k.position, headers, payload
  FROM millrace_keys k JOIN millrace_messages m ON m.position = k.position
  WHERE k.log = ? AND k.digest IS NULL
    AND k.position >= (SELECT position FROM millrace_messages WHERE log = ? AND log_offset = ?)
    AND k.position <= (SELECT position FROM millrace_messages WHERE log = ? AND log_offset = ?)
  ORDER BY k.position LIMIT 16`
const updateDigest = "UPDATE millrace_keys SET digest = ? WHERE position = ?"

/**
 * Leaves digests of what is about to be deleted, for as long as its keys are remembered: a repeat of a deleted message
 * must still be told from other content.
 */
export const digestKeys = (
  session: Session,
  number: number,
  { first, last }: OffsetRange,
): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    for (;;) {
      const rows = yield* session.values(selectUndigested, [number, number, first, number, last])
      if (rows.length === 0) return
      for (const [position, headers, payload] of rows) {
        const digest = contentDigest(headersFromText(headers as string | null), payload as Uint8Array)
        yield* session.run(updateDigest, [digest, position])
      }
    }
  })
