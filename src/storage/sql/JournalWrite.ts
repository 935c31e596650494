/**
 * Messages on their way into the journal: gathered as columns, then written in one go within a transaction. What the
 * store remembers in memory — logs, heads, the journal's end — changes only once the commit has succeeded.
 */
import { type LogId, key as logKey } from "../../domain/LogId.ts"
import type { Headers, Message } from "../../domain/Message.ts"
import { headersToText } from "../Content.ts"
import type { LogRow, LogTable } from "./LogTable.ts"
import type { Statement } from "./Session.ts"
import { addRows, grouped } from "./Statements.ts"

/** What of a message is the same wherever it is stored. */
export interface Content {
  readonly id: string
  readonly createdAt: number
  readonly headers: Headers
  readonly payload: Uint8Array
}

/** The store's state in memory that a write goes on from. */
export interface JournalState {
  readonly logs: LogTable
  /** The journal's last position. */
  end: number
}

/** A log in this write: `head` runs ahead of what is committed. */
export interface TouchedLog {
  readonly row: LogRow
  readonly isNew: boolean
  head: number
}

const insertLogs = grouped(
  6,
  (rows) => `INSERT INTO millrace_logs (log, topic, tenant, line, device, head) VALUES ${rows}`,
)
const insertMessages = grouped(
  8,
  (rows) =>
    `INSERT INTO millrace_messages (position, log, log_offset, id, created_at, deleted, headers, payload) VALUES ${rows}`,
)
const updateHeads = grouped(
  2,
  (rows) =>
    `WITH moved (head, log) AS (VALUES ${rows})
     UPDATE millrace_logs SET head = moved.head FROM moved WHERE millrace_logs.log = moved.log`,
  "UPDATE millrace_logs SET head = ? WHERE log = ?",
)
const updateEnd = "UPDATE millrace_journal SET last_position = ? WHERE one = 1"

export class JournalWrite {
  private readonly state: JournalState
  private readonly touched = new Map<string, TouchedLog>()
  private readonly numbers: Array<number> = []
  private readonly offsets: Array<number> = []
  private readonly contents: Array<Content> = []
  /** Indices of the tombstones among them. */
  private readonly deleted = new Set<number>()
  private lastNumber: number

  constructor(state: JournalState) {
    this.state = state
    this.lastNumber = state.logs.lastNumber
  }

  /** The log as this write sees it; a new one gets its number here. */
  log(log: LogId): TouchedLog {
    const key = logKey(log)
    let touched = this.touched.get(key)
    if (touched === undefined) {
      const row = this.state.logs.find(log)
      touched =
        row === undefined
          ? { row: { number: ++this.lastNumber, log, head: 0 }, isNew: true, head: 0 }
          : { row, isNew: false, head: row.head }
      this.touched.set(key, touched)
    }
    return touched
  }

  /** Adds a message as the next one of its log. */
  add(log: TouchedLog, content: Content, deleted: boolean): void {
    log.head += 1
    this.numbers.push(log.row.number)
    this.offsets.push(log.head)
    if (deleted) this.deleted.add(this.contents.length)
    this.contents.push(content)
  }

  /** The message added last, as it will be stored. */
  last(log: TouchedLog): Message {
    const content = this.contents.at(-1)!
    return {
      topic: log.row.log.topic,
      origin: log.row.log.origin,
      offset: log.head,
      position: this.state.end + this.contents.length,
      id: content.id,
      createdAt: content.createdAt,
      headers: content.headers,
      payload: content.payload,
      deleted: this.deleted.has(this.contents.length - 1),
    }
  }

  /** The statements that write everything; to be run once, within the transaction. */
  statements(): Array<Statement> {
    const { contents, deleted, numbers, offsets } = this
    const first = this.state.end + 1
    const list: Array<Statement> = []
    const touched = [...this.touched.values()]
    const created = touched.filter((log) => log.isNew)
    addRows(list, insertLogs, created.length, (params, row) => {
      const { head, row: log } = created[row]!
      const { origin, topic } = log.log
      params.push(log.number, topic, origin.tenant, origin.line, origin.device, head)
    })
    addRows(list, insertMessages, contents.length, (params, row) => {
      const { createdAt, headers, id, payload } = contents[row]!
      const mark = deleted.has(row) ? 1 : 0
      params.push(first + row, numbers[row], offsets[row], id, createdAt, mark, headersToText(headers), payload)
    })
    const moved = touched.filter((log) => !log.isNew && log.head !== log.row.head)
    addRows(list, updateHeads, moved.length, (params, row) => {
      params.push(moved[row]!.head, moved[row]!.row.number)
    })
    if (contents.length > 0) list.push([updateEnd, [first + contents.length - 1]])
    return list
  }

  /** Takes over what was written; to be called once, after the commit. */
  committed(): void {
    for (const { row, isNew, head } of this.touched.values()) {
      row.head = head
      if (isNew) this.state.logs.add(row)
    }
    this.state.end += this.contents.length
  }
}
