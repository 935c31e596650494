/**
 * Messages on their way into the journal: gathered as blocks, then written in one go within a transaction. What the
 * store remembers in memory — logs, heads, the journal's end — changes only once the commit has succeeded.
 */
import { type LogId, key as logKey } from "../../domain/LogId.ts"
import { type Message, noHeaders } from "../../domain/Message.ts"
import { type BlockContent, encodeBlock } from "./Block.ts"
import { blockBytesMax, blockMessagesMax } from "./Blocks.ts"
import type { LogRow, LogTable } from "./LogTable.ts"
import type { Statement } from "./Session.ts"
import { addRows, grouped } from "./Statements.ts"

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
const insertBlocks = grouped(
  5,
  (rows) => `INSERT INTO millrace_blocks (last_position, log, last_offset, messages, content) VALUES ${rows}`,
)
const updateHeads = grouped(
  2,
  (rows) =>
    `WITH moved (head, log) AS (VALUES ${rows})
     UPDATE millrace_logs SET head = moved.head FROM moved WHERE millrace_logs.log = moved.log`,
  "UPDATE millrace_logs SET head = ? WHERE log = ?",
)
const updateEnd = "UPDATE millrace_journal SET last_position = ? WHERE one = 1"

/** A block that is being filled. */
interface OpenBlock {
  readonly log: TouchedLog
  readonly contents: Array<BlockContent>
  bytes: number
  lastPosition: number
  lastOffset: number
}

export class JournalWrite {
  private readonly state: JournalState
  private readonly touched = new Map<string, TouchedLog>()
  private readonly blocks: Array<OpenBlock> = []
  private block: OpenBlock | undefined
  /** The journal's last position with what was added. */
  private end: number
  private lastNumber: number

  constructor(state: JournalState) {
    this.state = state
    this.end = state.end
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
  add(log: TouchedLog, content: BlockContent): void {
    const bytes = contentBytes(content)
    let { block } = this
    if (
      block === undefined ||
      block.log !== log ||
      block.contents.length === blockMessagesMax ||
      block.bytes + bytes > blockBytesMax
    ) {
      block = { log, contents: [], bytes: 0, lastPosition: 0, lastOffset: 0 }
      this.block = block
      this.blocks.push(block)
    }
    block.contents.push(content)
    block.bytes += bytes
    block.lastPosition = ++this.end
    block.lastOffset = ++log.head
  }

  /** The message added last, as it will be stored. */
  last(): Message {
    const { contents, lastOffset, lastPosition, log } = this.block!
    const { createdAt, deleted, headers, id, payload } = contents.at(-1)!
    const { origin, topic } = log.row.log
    return {
      topic,
      origin,
      offset: lastOffset,
      position: lastPosition,
      id,
      createdAt,
      headers,
      payload,
      deleted: deleted === true,
    }
  }

  /** The statements that write everything; to be run once, within the transaction. */
  statements(): Array<Statement> {
    const { blocks, end, state } = this
    const list: Array<Statement> = []
    const touched = [...this.touched.values()]
    const created = touched.filter((log) => log.isNew)
    addRows(list, insertLogs, created.length, (params, row) => {
      const { head, row: log } = created[row]!
      const { origin, topic } = log.log
      params.push(log.number, topic, origin.tenant, origin.line, origin.device, head)
    })
    addRows(list, insertBlocks, blocks.length, (params, row) => {
      const { contents, lastOffset, lastPosition, log } = blocks[row]!
      params.push(lastPosition, log.row.number, lastOffset, contents.length, encodeBlock(contents))
    })
    const moved = touched.filter((log) => !log.isNew && log.head !== log.row.head)
    addRows(list, updateHeads, moved.length, (params, row) => {
      params.push(moved[row]!.head, moved[row]!.row.number)
    })
    if (end > state.end) list.push([updateEnd, [end]])
    return list
  }

  /** Takes over what was written; to be called once, after the commit. */
  committed(): void {
    for (const { row, isNew, head } of this.touched.values()) {
      row.head = head
      if (isNew) this.state.logs.add(row)
    }
    this.state.end = this.end
  }
}

/** About what a message adds to a block, in bytes. */
const contentBytes = ({ headers, payload }: BlockContent): number => {
  let bytes = payload.byteLength
  if (headers !== noHeaders) for (const name in headers) bytes += name.length + headers[name]!.length
  return bytes
}
