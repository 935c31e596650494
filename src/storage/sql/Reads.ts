/**
 * Reading logs and the journal, page by page.
 *
 * A journal page is read in one of three ways, by how many logs its filter selects: none, nothing is read; a few, each
 * is followed by its index and their blocks are merged by position; more, the journal is scanned, over a bounded range
 * of positions, and blocks of other logs are skipped without reading their content.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { LogId } from "../../domain/LogId.ts"
import type { Message } from "../../domain/Message.ts"
import { blockMessagesMax } from "../parts/Block.ts"
import { BlockPage } from "../parts/BlockPage.ts"
import type { JournalFilters } from "../parts/LogSelection.ts"
import { MessagePage } from "../parts/MessagePage.ts"
import type { Page } from "../parts/Page.ts"
import type { EncodedBlock, JournalPage, PageLimit } from "../LogStore.ts"
import type { Dialect } from "./Dialect.ts"
import { blockColumns, type BlockRow, firstOffsetOf, firstPositionOf, lastOffsetOf, lastPositionOf } from "./Blocks.ts"
import type { LogPlaces } from "../parts/LogPlaces.ts"
import { firstBeyond } from "./LogPlaces.ts"
import type { LogSelector } from "../parts/LogSelector.ts"
import type { LogRow } from "../parts/KnownLogs.ts"
import type { LogTable } from "./LogTable.ts"
import { addAll, reach, wanted } from "./pages.ts"
import type { Session } from "./Session.ts"

/** Logs that a page merges at most; beyond, the journal is scanned. */
const mergedLogsMax = 8

/** Positions that one page scans, at most. */
const scanMax = 20_000

export interface ReadContext {
  readonly dialect: Dialect
  readonly logs: LogTable
  readonly selector: LogSelector
  readonly places: LogPlaces
  /** Whether somebody else writes, so that logs may exist which this store has not seen. */
  readonly catchesUp: boolean
}

const selectByOffset = `SELECT ${blockColumns} FROM millrace_blocks
  WHERE log = ? AND last_offset >= ? AND last_offset <= ? ORDER BY last_offset LIMIT ?`

export const readLog = (
  session: Session,
  context: ReadContext,
  log: LogId,
  from: number,
  limit: PageLimit,
): Effect.Effect<ReadonlyArray<Message>, SqlError> => {
  const first = Math.max(from, 1)
  const page = new MessagePage(context.logs, limit, { afterPosition: 0, fromOffset: first })
  return Effect.map(fill(session, context, page, log, first), () => page.messages)
}

export const readBlocks = (
  session: Session,
  context: ReadContext,
  log: LogId,
  from: number,
  limit: PageLimit,
): Effect.Effect<ReadonlyArray<EncodedBlock>, SqlError> => {
  const first = Math.max(from, 1)
  const page = new BlockPage(limit, first)
  return Effect.map(fill(session, context, page, log, first), () => page.finish())
}

/** Fills a page from a log, from an offset on. */
const fill = (
  session: Session,
  { catchesUp, logs }: ReadContext,
  page: Page,
  log: LogId,
  from: number,
): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    if (catchesUp && logs.find(log) === undefined) yield* logs.catchUp(session)
    const row = logs.find(log)
    if (row === undefined) return
    let next = from
    while (!page.full) {
      const rows = yield* session.values(selectByOffset, [row.number, next, next + reach(page), wanted(page)])
      if (rows.length === 0) break
      yield* addAll(session, page, rows)
      next = lastOffsetOf(rows.at(-1)!) + 1
    }
  })

/** The journal's last position. */
export const readEnd = (session: Session): Effect.Effect<number, SqlError> =>
  Effect.map(session.values("SELECT last_position FROM millrace_journal", []), (rows) => rows[0]![0] as number)

/** The journal's ends as a page is read with them. */
interface JournalEnds {
  /** The last position. */
  readonly end: number
  /** The last position at which messages were discarded. */
  readonly lastDiscarded: number
}

/** The journal's ends, with all logs known that have messages up to there. */
const readKnownEnds = (
  session: Session,
  { catchesUp, dialect, logs }: ReadContext,
): Effect.Effect<JournalEnds, SqlError> =>
  Effect.flatMap(session.values(dialect.selectEnd, []), ([row]) => {
    const [end, lastDiscarded, lastLog = Number.POSITIVE_INFINITY] = row as [number, number, number?]
    const ends = { end, lastDiscarded }
    return catchesUp && lastLog > logs.lastNumber ? Effect.as(logs.catchUp(session), ends) : Effect.succeed(ends)
  })

export const readJournal = (
  session: Session,
  context: ReadContext,
  after: number,
  filters: JournalFilters,
  limit: PageLimit,
): Effect.Effect<JournalPage, SqlError> =>
  Effect.gen(function* () {
    // The end comes first: every log that has a message up to it is then found, and nothing beyond it is looked at.
    const ends = yield* readKnownEnds(session, context)
    const { end } = ends
    const { isAll, logs } = context.selector.select(filters)
    if (after >= end || logs.length === 0) return { messages: [], scannedTo: end, end }
    const from = Math.max(after, 0)
    const page = new MessagePage(context.logs, limit, { afterPosition: from, fromOffset: 1 })
    const scannedTo =
      logs.length <= mergedLogsMax
        ? yield* mergeLogs(session, context.places, page, logs, from, ends)
        : yield* scanJournal(session, context, page, isAll ? undefined : logs, from, end)
    return { messages: page.messages, scannedTo, end }
  })

/** One of the logs being merged: blocks that were read, and the offset to read on from. */
interface MergedLog {
  readonly number: number
  next: number
  rows: ReadonlyArray<BlockRow>
  at: number
  isExhausted: boolean
}

/** Fills the page from a few logs, in the order of positions. Gives how far it is complete. */
const mergeLogs = (
  session: Session,
  places: LogPlaces,
  page: MessagePage,
  logs: ReadonlyArray<LogRow>,
  after: number,
  { end, lastDiscarded }: JournalEnds,
): Effect.Effect<number, SqlError> =>
  Effect.gen(function* () {
    const merged: Array<MergedLog> = []
    for (const { number } of logs) {
      const next = places.get(number, after, lastDiscarded) ?? (yield* firstBeyond(session, number, after))
      merged.push({ number, next, rows: [], at: 0, isExhausted: false })
    }
    while (!page.full) {
      for (const log of merged) {
        if (log.at === log.rows.length && !log.isExhausted) {
          const most = Math.max(Math.ceil(wanted(page) / merged.length), Math.min(wanted(page), 16))
          log.rows = yield* session.values(selectByOffset, [log.number, log.next, log.next + reach(page), most])
          log.at = 0
          log.isExhausted = log.rows.length === 0
          if (log.rows.length > 0) log.next = lastOffsetOf(log.rows.at(-1)!) + 1
        }
      }
      const run = takeRun(merged, end)
      if (run.length === 0) return end
      yield* addAll(session, page, run)
    }
    const { lastPosition } = page
    for (const log of merged) {
      const ahead = log.rows.find((row) => lastPositionOf(row) > lastPosition)
      const seen = ahead === undefined ? 0 : Math.max(0, lastPosition + 1 - firstPositionOf(ahead))
      const next = ahead === undefined ? log.next : firstOffsetOf(ahead) + seen
      places.set(log.number, lastPosition, next, lastDiscarded)
    }
    return lastPosition
  })

/** Blocks in the order of positions up to `end`, until one of the logs has to be read on. */
const takeRun = (logs: ReadonlyArray<MergedLog>, end: number): ReadonlyArray<BlockRow> => {
  const only = logs[0]!
  if (logs.length === 1 && only.at === 0 && only.rows.length > 0 && lastPositionOf(only.rows.at(-1)!) <= end) {
    only.at = only.rows.length
    return only.rows
  }
  const run: Array<BlockRow> = []
  for (;;) {
    let first: MergedLog | undefined
    let position = end + 1
    for (const log of logs) {
      const row = log.rows[log.at]
      if (row === undefined) {
        if (log.isExhausted) continue
        return run
      }
      if (lastPositionOf(row) < position) {
        first = log
        position = lastPositionOf(row)
      }
    }
    if (first === undefined) return run
    run.push(first.rows[first.at]!)
    first.at += 1
  }
}

const selectByPosition = (where: string): string => `SELECT ${blockColumns} FROM millrace_blocks
  WHERE last_position > ? AND last_position <= ? ${where} ORDER BY last_position LIMIT ?`
const selectAll = selectByPosition("")

/** Fills the page from a range of the journal. Gives how far it is complete. */
const scanJournal = (
  session: Session,
  { dialect }: ReadContext,
  page: MessagePage,
  logs: ReadonlyArray<LogRow> | undefined,
  after: number,
  end: number,
): Effect.Effect<number, SqlError> =>
  Effect.gen(function* () {
    const stop = Math.min(end, after + scanMax)
    // A block that reaches beyond the stop counts: no block is longer than this, and none reaches beyond the end.
    const last = Math.min(end, stop + blockMessagesMax)
    // The plus keeps the planner from going through the index by log, which has the wrong order.
    const sql = logs === undefined ? selectAll : selectByPosition(`AND ${dialect.oneOf("+log")}`)
    const selected = logs === undefined ? [] : [dialect.oneOfValue(logs.map(({ number }) => number))]
    let position = after
    while (!page.full) {
      // Where every block counts, no more than the page's room is worth looking at.
      const upTo = logs === undefined ? Math.min(last, position + reach(page)) : last
      const most = wanted(page)
      const rows = yield* session.values(sql, [position, upTo, ...selected, most])
      yield* addAll(session, page, rows)
      position = rows.length > 0 ? lastPositionOf(rows.at(-1)!) : upTo
      if (!page.full && rows.length < most && upTo === last) return Math.max(stop, page.lastPosition)
    }
    return page.lastPosition
  })
