/**
 * Which logs a filter selects, remembered from page to page: a replay asks with the same filter for thousands of pages,
 * and logs are only ever added.
 */
import type { LogId } from "../../domain/LogId.ts"
import { filtersKey, isSeveral, type JournalFilters, logMatcher } from "./LogSelection.ts"
import type { KnownLogs, LogRow } from "./KnownLogs.ts"

/** Filters remembered at most; the one unused for longest goes first. */
const selectionsMax = 256

export interface Selection {
  /** The logs that match, in the order of their numbers. */
  readonly logs: ReadonlyArray<LogRow>
  /** Whether every log matches. */
  readonly isAll: boolean
}

interface Remembered {
  readonly matches: (log: LogId) => boolean
  readonly logs: Array<LogRow>
  /** Logs of the table that have been looked at. */
  seen: number
}

export class LogSelector {
  private readonly table: KnownLogs
  private readonly remembered = new Map<string, Remembered>()
  /** Of several filters together, which may select a great many logs, the last: who asks so goes on with the same ones. */
  private several: (Remembered & { readonly key: string }) | undefined

  constructor(table: KnownLogs) {
    this.table = table
  }

  select(filters: JournalFilters): Selection {
    const selection = this.recall(filters)
    const { rows } = this.table
    for (; selection.seen < rows.length; selection.seen++) {
      const row = rows[selection.seen]!
      if (selection.matches(row.log)) selection.logs.push(row)
    }
    return { logs: selection.logs, isAll: selection.logs.length === rows.length }
  }

  private recall(filters: JournalFilters): Remembered {
    const key = filtersKey(filters)
    if (isSeveral(filters)) {
      if (this.several?.key !== key) this.several = { key, ...remember(filters) }
      return this.several
    }
    const selection = this.remembered.get(key) ?? remember(filters)
    this.remembered.delete(key)
    this.remembered.set(key, selection)
    if (this.remembered.size > selectionsMax) {
      for (const oldest of this.remembered.keys()) if (this.remembered.delete(oldest)) break
    }
    return selection
  }
}

const remember = (filters: JournalFilters): Remembered => ({ matches: logMatcher(filters), logs: [], seen: 0 })
