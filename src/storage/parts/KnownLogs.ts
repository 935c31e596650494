/**
 * The logs of a store, by name and by number, as last seen in the database.
 *
 * Blocks of messages name their log by a number. Numbers grow with every new log and never change, so a reader catches up
 * by asking for the numbers beyond the last one that it knows. Heads are current only where this store is the one that
 * writes; they live in the database's table of logs, apart from the messages, and only `LogStore.discard` lowers them.
 */
import { type LogId, key as logKey } from "../../domain/LogId.ts"

export interface LogRow {
  /** Its number in this store. */
  readonly number: number
  readonly log: LogId
  /** Offset of its last message; 0 where there is none. */
  head: number
}

export class KnownLogs {
  /** In the order of their numbers. */
  readonly rows: Array<LogRow> = []
  private readonly byKey = new Map<string, LogRow>()
  private readonly byNumber = new Map<number, LogRow>()

  /** The greatest number given so far. */
  get lastNumber(): number {
    return this.rows.at(-1)?.number ?? 0
  }

  find(log: LogId): LogRow | undefined {
    return this.byKey.get(logKey(log))
  }

  /** The log that a block names. */
  get(number: number): LogRow {
    const row = this.byNumber.get(number)
    if (row === undefined) throw new Error(`log ${number} is not in the table of logs`)
    return row
  }

  add(row: LogRow): void {
    if (this.byNumber.has(row.number)) return
    this.rows.push(row)
    this.byKey.set(logKey(row.log), row)
    this.byNumber.set(row.number, row)
  }
}
