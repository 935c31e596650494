/**
 * Reading logs and the journal, page by page.
 *
 * A journal page is read in one of three ways, by how many logs its filter selects: none, nothing is read; a few, each
 * is followed by its table of offsets and their blocks are merged by position; more, the journal is scanned, over a
 * bounded range of positions, and blocks of other logs are passed over by their keys.
 */
import type { LogId } from "../../domain/LogId.ts"
import type { Message } from "../../domain/Message.ts"
import type { KnownLogs, LogRow } from "../parts/KnownLogs.ts"
import type { LogPlaces } from "../parts/LogPlaces.ts"
import type { JournalFilters } from "../parts/LogSelection.ts"
import type { LogSelector } from "../parts/LogSelector.ts"
import type { EncodedBlock, JournalPage, PageLimit } from "../LogStore.ts"
import { BlockPage } from "../parts/BlockPage.ts"
import { MessagePage } from "../parts/MessagePage.ts"
import type { Page } from "../parts/Page.ts"
import type { Tables } from "./Environment.ts"
import { blocksFrom, blocksOfLog, catchUp, contentOf, readEnd, readLastDiscarded } from "./Journal.ts"
import type { StoredBlock } from "./Layout.ts"

/** Logs that a page merges at most; beyond, the journal is scanned. */
const mergedLogsMax = 8

/** Positions that one page scans, at most. */
const scanMax = 20_000

export interface ReadContext {
  readonly tables: Tables
  readonly logs: KnownLogs
  readonly selector: LogSelector
  readonly places: LogPlaces
  /** Whether somebody else writes, so that logs may exist which this store has not seen. */
  readonly catchesUp: boolean
}

/** Adds a block, unless it is too large for what room there is: then nothing more goes in. */
const add = (tables: Tables, page: Page, block: StoredBlock): void => {
  if (block.messages === 1 && block.bytes > page.bytesMax) page.full = true
  else page.addBlock(block, contentOf(tables, block))
}

export const readLog = (context: ReadContext, log: LogId, from: number, limit: PageLimit): ReadonlyArray<Message> => {
  const fromOffset = Math.max(from, 1)
  const page = new MessagePage(context.logs, limit, { afterPosition: 0, fromOffset })
  fill(context, page, log, fromOffset)
  return page.messages
}

export const readBlocks = (
  context: ReadContext,
  log: LogId,
  from: number,
  limit: PageLimit,
): ReadonlyArray<EncodedBlock> => {
  const fromOffset = Math.max(from, 1)
  const page = new BlockPage(limit, fromOffset)
  fill(context, page, log, fromOffset)
  return page.finish()
}

/** Fills a page from a log, from an offset on. */
const fill = ({ catchesUp, logs, tables }: ReadContext, page: Page, log: LogId, from: number): void => {
  if (catchesUp && logs.find(log) === undefined) catchUp(tables, logs)
  const row = logs.find(log)
  if (row === undefined) return
  for (const block of blocksOfLog(tables, row.number, from)) {
    add(tables, page, block)
    if (page.full) break
  }
}

export const readJournal = (
  context: ReadContext,
  after: number,
  filters: JournalFilters,
  limit: PageLimit,
): JournalPage => {
  const { catchesUp, logs, selector, tables } = context
  const end = readEnd(tables)
  if (catchesUp) catchUp(tables, logs)
  const selection = selector.select(filters)
  if (after >= end || selection.logs.length === 0) return { messages: [], scannedTo: end, end }
  const from = Math.max(after, 0)
  const page = new MessagePage(logs, limit, { afterPosition: from, fromOffset: 1 })
  const scannedTo =
    selection.logs.length <= mergedLogsMax
      ? mergeLogs(context, page, selection.logs, from, end)
      : scanJournal(tables, page, selection.isAll ? undefined : selection.logs, from, end)
  return { messages: page.messages, scannedTo, end }
}

/** One of the logs being merged: what is next of it, if anything. */
interface MergedLog {
  readonly row: LogRow
  readonly blocks: Iterator<StoredBlock>
  next: StoredBlock | undefined
}

/** Fills the page from a few logs, in the order of positions. Gives how far it is complete. */
const mergeLogs = (
  { places, tables }: ReadContext,
  page: MessagePage,
  logs: ReadonlyArray<LogRow>,
  after: number,
  end: number,
): number => {
  const lastDiscarded = readLastDiscarded(tables)
  const merged = logs.map((row): MergedLog => {
    const offset = places.get(row.number, after, lastDiscarded) ?? firstBeyond(tables, row, after)
    const blocks = blocksOfLog(tables, row.number, offset)[Symbol.iterator]()
    return { row, blocks, next: nextOf(blocks) }
  })
  try {
    while (!page.full) {
      const first = firstOf(merged)
      if (first?.next === undefined) return end
      add(tables, page, first.next)
      if (!page.full) first.next = nextOf(first.blocks)
    }
    const { lastPosition } = page
    for (const { next, row } of merged) {
      if (next === undefined) continue
      const firstOffset = next.lastOffset - next.messages + 1
      const seen = Math.max(0, lastPosition + next.messages - next.lastPosition)
      places.set(row.number, lastPosition, firstOffset + seen, lastDiscarded)
    }
    return lastPosition
  } finally {
    for (const { blocks } of merged) blocks.return?.()
  }
}

const nextOf = (blocks: Iterator<StoredBlock>): StoredBlock | undefined => {
  const { done, value } = blocks.next()
  return done === true ? undefined : value
}

const firstOf = (logs: ReadonlyArray<MergedLog>): MergedLog | undefined => {
  let first: MergedLog | undefined
  for (const log of logs) {
    if (log.next === undefined) continue
    if (first?.next === undefined || log.next.lastPosition < first.next.lastPosition) first = log
  }
  return first
}

/**
 * Where to read on for the messages of a log beyond a position: an offset in the block that has the first of them; one
 * more than the head where there is none. By binary search: a message's offset is never greater than its position.
 */
const firstBeyond = (tables: Tables, { number }: LogRow, after: number): number => {
  let low = 1
  let high = after + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const block = nextOf(blocksOfLog(tables, number, middle))
    if (block === undefined || block.lastPosition > after) high = middle
    else low = block.lastOffset + 1
  }
  return low
}

/** Fills the page from a range of the journal. Gives how far it is complete. */
const scanJournal = (
  tables: Tables,
  page: MessagePage,
  logs: ReadonlyArray<LogRow> | undefined,
  after: number,
  end: number,
): number => {
  const stop = Math.min(end, after + scanMax)
  const selected = logs === undefined ? undefined : new Set(logs.map(({ number }) => number))
  for (const block of blocksFrom(tables, after + 1)) {
    if (block.lastPosition - block.messages >= stop) break
    if (selected?.has(block.logNumber) === false) continue
    add(tables, page, block)
    if (page.full) return page.lastPosition
  }
  return Math.max(stop, page.lastPosition)
}
