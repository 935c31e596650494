/**
 * Storing what another node published, as it numbered it.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { OffsetConflict, OffsetGap } from "../../domain/errors.ts"
import type { LogId } from "../../domain/LogId.ts"
import type { Message } from "../../domain/Message.ts"
import { planAccept, type StoredContent } from "../AcceptPlan.ts"
import { headersFromText } from "../Content.ts"
import type { AcceptResult, ReplicatedMessage } from "../LogStore.ts"
import { contains } from "../OffsetRanges.ts"
import { type JournalState, JournalWrite } from "./JournalWrite.ts"
import type { LogRow } from "./LogTable.ts"
import type { Session } from "./Session.ts"
import { addRows, grouped } from "./Statements.ts"
import { digestKeys, readRanges } from "./Tombstone.ts"
import type { Written } from "./WriteTransaction.ts"

export const accept = (
  session: Session,
  journal: JournalState,
  log: LogId,
  messages: ReadonlyArray<ReplicatedMessage>,
): Effect.Effect<Written<AcceptResult>, OffsetConflict | OffsetGap | SqlError> =>
  Effect.gen(function* () {
    const row = journal.logs.find(log)
    const head = row?.head ?? 0
    const stored = yield* readStored(session, row, messages)
    const ranges =
      row === undefined
        ? []
        : yield* readRanges(session, row.number, { first: head + 1, last: head + Math.max(messages.length, 1) })
    const plan = planAccept(messages, {
      log,
      head,
      stored: (offset) => stored.get(offset),
      tombstoned: (offset) => contains(ranges, offset),
    })
    if ("_tag" in plan) return yield* plan
    const write = new JournalWrite(journal)
    const accepted: Array<Message> = []
    if (plan.fresh.length > 0) {
      const touched = write.log(log)
      for (const message of plan.fresh) {
        write.add(touched, message, message.deleted)
        accepted.push(write.last(touched))
      }
    }
    const statements = write.statements()
    if (row !== undefined && plan.deletes.length > 0) {
      yield* digestKeys(session, row.number, { first: plan.deletes[0]!, last: plan.deletes.at(-1)! })
      addRows(statements, eraseOffsets, plan.deletes.length, (params, i) => {
        params.push(row.number, plan.deletes[i])
      })
    }
    yield* session.runAll(statements)
    return { value: { accepted, head: head + accepted.length }, committed: () => write.committed() }
  })

const eraseOffsets = grouped(
  2,
  (rows) =>
    `UPDATE millrace_messages SET deleted = 1, headers = NULL, payload = x'' WHERE (log, log_offset) IN (VALUES ${rows})`,
)

const selectContents = `SELECT log_offset, id, created_at, deleted, headers, payload FROM millrace_messages
  WHERE log = ? AND log_offset BETWEEN ? AND ?`

/** The stored messages at the offsets of a batch, by offset. */
const readStored = (
  session: Session,
  row: LogRow | undefined,
  messages: ReadonlyArray<ReplicatedMessage>,
): Effect.Effect<ReadonlyMap<number, StoredContent>, SqlError> => {
  const stored = new Map<number, StoredContent>()
  let first = Number.POSITIVE_INFINITY
  let last = 0
  for (const { offset } of messages) {
    if (row === undefined || offset > row.head) continue
    first = Math.min(first, offset)
    last = Math.max(last, offset)
  }
  if (row === undefined || last === 0) return Effect.succeed(stored)
  return Effect.map(session.values(selectContents, [row.number, first, last]), (rows) => {
    for (const [offset, id, createdAt, deleted, headers, payload] of rows) {
      stored.set(offset as number, {
        id: id as string,
        createdAt: createdAt as number,
        deleted: deleted !== 0,
        headers: headersFromText(headers as string | null),
        payload: payload as Uint8Array,
      })
    }
    return stored
  })
}
