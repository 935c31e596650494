/**
 * Whether the blocks of a journal fit together: positions grow from block to block, and the offsets of each log go on
 * from block to block by one, up to its head. Plain state, fed with one block after the other in the order of positions.
 */
import { type LogId, format } from "../../domain/LogId.ts"
import type { Report } from "./Report.ts"

/** A log's row. */
export interface CheckedLog {
  readonly number: number
  readonly log: LogId
  readonly head: number
}

/** Where a block is. */
export interface BlockSpan {
  readonly logNumber: number
  readonly firstPosition: number
  readonly lastPosition: number
  readonly firstOffset: number
  readonly lastOffset: number
}

export class LogCheck {
  private readonly report: Report
  private readonly logs = new Map<number, CheckedLog>()
  /** The last offset of each log so far. */
  private readonly lastOffsets = new Map<number, number>()
  private lastPosition = 0
  messages = 0

  constructor(report: Report, logs: ReadonlyArray<CheckedLog>) {
    this.report = report
    for (const log of logs) this.logs.set(log.number, log)
  }

  log(number: number): CheckedLog | undefined {
    return this.logs.get(number)
  }

  add({ firstOffset, firstPosition, lastOffset, lastPosition, logNumber }: BlockSpan): void {
    const { report } = this
    const position = lastPosition
    this.messages += lastOffset - firstOffset + 1
    if (firstPosition <= this.lastPosition) {
      report.add(
        "order",
        `the block that ends at position ${lastPosition} begins at ${firstPosition}, and the one before it ends at ${this.lastPosition}`,
        { position },
      )
    }
    this.lastPosition = lastPosition
    const checked = this.logs.get(logNumber)
    if (checked === undefined) {
      report.add(
        "log",
        `the block that ends at position ${lastPosition} belongs to log ${logNumber}, which is not in the table of logs`,
        { position, row: `millrace_blocks ${lastPosition}` },
      )
      return
    }
    const { log } = checked
    const last = this.lastOffsets.get(logNumber) ?? 0
    this.lastOffsets.set(logNumber, Math.max(last, lastOffset))
    if (firstOffset > last + 1) {
      const offsets = { first: last + 1, last: firstOffset - 1 }
      report.add("gap", `the log ${format(log)} lacks ${rangeText(offsets)}`, { log, offsets, position })
    } else if (firstOffset <= last) {
      const offsets = { first: firstOffset, last: Math.min(last, lastOffset) }
      const message = `the log ${format(log)} has ${rangeText(offsets)} twice, the second time in the block that ends at position ${position}`
      report.add("duplicate", message, { log, offsets, position })
    }
  }

  /** What can be said once all blocks were seen: heads, and the journal's end. */
  finish(end: number | undefined, lastDiscarded: number): void {
    const { report } = this
    const position = Math.max(this.lastPosition, lastDiscarded)
    if (end !== position) {
      report.add("end", `the journal ends at position ${position}, and ${end ?? "nothing"} is noted as its end`, {
        position,
      })
    }
    for (const { head, log, number } of this.logs.values()) {
      const last = this.lastOffsets.get(number) ?? 0
      if (head === last) continue
      const offsets = { first: Math.min(head, last) + 1, last: Math.max(head, last) }
      report.add("head", `the log ${format(log)} ends at offset ${last}, and ${head} is noted as its head`, {
        log,
        offsets,
      })
    }
  }
}

export const rangeText = ({ first, last }: { readonly first: number; readonly last: number }): string =>
  first === last ? `offset ${first}` : `offsets ${first} to ${last}`
