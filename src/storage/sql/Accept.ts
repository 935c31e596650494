/**
 * Storing what another node published, as it numbered it.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { OffsetConflict, OffsetGap } from "../../domain/errors.ts"
import type { LogId } from "../../domain/LogId.ts"
import type { Message } from "../../domain/Message.ts"
import { planAccept, type StoredContent } from "../parts/AcceptPlan.ts"
import { messagesIn, offsetsBeyond, replicasFrom, runOf } from "../parts/ReplicaBlocks.ts"
import type { AcceptedRun, AcceptResult, EncodedBlock, ReplicatedMessage } from "../LogStore.ts"
import { contains } from "../parts/OffsetRanges.ts"
import { contentsAt } from "./Blocks.ts"
import { erase } from "./Erase.ts"
import { type JournalState, JournalWrite } from "./JournalWrite.ts"
import type { LogRow } from "../parts/KnownLogs.ts"
import { refreshHead } from "./LogTable.ts"
import type { Session } from "./Session.ts"
import { readRanges } from "./Tombstone.ts"
import type { Written } from "./WriteTransaction.ts"

export const accept = (
  session: Session,
  journal: JournalState,
  log: LogId,
  messages: ReadonlyArray<ReplicatedMessage>,
): Effect.Effect<Written<AcceptResult>, OffsetConflict | OffsetGap | SqlError> =>
  Effect.gen(function* () {
    const row = journal.logs.find(log)
    if (row !== undefined && journal.sharing !== undefined) yield* refreshHead(session, row)
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
        write.add(touched, message)
        accepted.push(write.last())
      }
    }
    if (row !== undefined)
      yield* erase(
        session,
        row.number,
        plan.deletes.map((offset) => ({ first: offset, last: offset })),
      )
    yield* write.flush(session)
    if (plan.fresh.length > 0) yield* journal.sharing?.changedForeign(session, log) ?? Effect.void
    return { value: { accepted, head: head + accepted.length }, committed: () => write.committed() }
  })

/** The same for messages that are encoded: they are stored as they are where nothing has to be looked at. */
export const acceptBlocks = (
  session: Session,
  journal: JournalState,
  log: LogId,
  from: number,
  blocks: ReadonlyArray<EncodedBlock>,
): Effect.Effect<Written<AcceptedRun>, OffsetConflict | OffsetGap | SqlError> =>
  Effect.gen(function* () {
    const row = journal.logs.find(log)
    const beyond = offsetsBeyond(row?.head ?? 0, from, blocks)
    const ranges = row === undefined || beyond === undefined ? [] : yield* readRanges(session, row.number, beyond)
    if (beyond === undefined || ranges.length > 0) {
      const { committed, value } = yield* accept(session, journal, log, replicasFrom(from, blocks))
      return { value: runOf(value), committed }
    }
    const write = new JournalWrite(journal)
    const touched = write.log(log)
    const places = blocks.map(({ content, messages }) => write.addBlock(touched, messages, content))
    yield* write.flush(session)
    return {
      value: { head: beyond.last, count: messagesIn(blocks), position: places[0]!.position, deleted: [] },
      committed: () => write.committed(),
    }
  })

/** The stored messages at the offsets of a batch, by offset. */
const readStored = (
  session: Session,
  row: LogRow | undefined,
  messages: ReadonlyArray<ReplicatedMessage>,
): Effect.Effect<ReadonlyMap<number, StoredContent>, SqlError> => {
  if (row === undefined) return Effect.succeed(new Map())
  const offsets = messages.map(({ offset }) => offset).filter((offset) => offset <= row.head)
  return contentsAt(
    session,
    row.number,
    offsets.toSorted((a, b) => a - b),
  )
}
