/**
 * Messages on their way into the journal: gathered as blocks, then written in one go within a transaction. What the
 * store remembers in memory — logs, heads, the journal's end — changes only once the commit has succeeded.
 */
import { type LogId, key as logKey } from "../../domain/LogId.ts"
import type { Message } from "../../domain/Message.ts"
import { type BlockContent, BlockWriter, encodeBlocks } from "../Block.ts"
import type { BlockPlace } from "../LogStore.ts"
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

/** A block that is being filled, or that came as it is. */
interface AddedBlock {
  readonly log: TouchedLog
  readonly content: BlockWriter | Uint8Array
  messages: number
  lastPosition: number
  lastOffset: number
}

export class JournalWrite {
  private readonly state: JournalState
  private readonly touched = new Map<string, TouchedLog>()
  private readonly blocks: Array<AddedBlock> = []
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
    let block = this.blocks.at(-1)
    if (block?.log !== log || !(block.content instanceof BlockWriter) || !block.content.add(content)) {
      const writer = new BlockWriter()
      writer.add(content)
      block = { log, content: writer, messages: 0, lastPosition: 0, lastOffset: 0 }
      this.blocks.push(block)
    }
    block.messages++
    block.lastPosition = ++this.end
    block.lastOffset = ++log.head
  }

  /** Adds an encoded block as the next messages of its log. Gives the place of its first message. */
  addBlock(log: TouchedLog, messages: number, content: Uint8Array): BlockPlace {
    const first = { offset: log.head + 1, position: this.end + 1 }
    this.end += messages
    log.head += messages
    this.blocks.push({ log, content, messages, lastPosition: this.end, lastOffset: log.head })
    return first
  }

  /** The message added last, as it will be stored. */
  last(): Message {
    const { content, lastOffset, lastPosition, log } = this.blocks.at(-1)!
    if (!(content instanceof BlockWriter)) throw new Error("it is part of an encoded block")
    const { createdAt, deleted, headers, id, payload } = content.last!
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
    const encoded = this.encode()
    addRows(list, insertBlocks, blocks.length, (params, row) => {
      const { lastOffset, lastPosition, log, messages } = blocks[row]!
      params.push(lastPosition, log.row.number, lastOffset, messages, encoded[row])
    })
    const moved = touched.filter((log) => !log.isNew && log.head !== log.row.head)
    addRows(list, updateHeads, moved.length, (params, row) => {
      params.push(moved[row]!.head, moved[row]!.row.number)
    })
    if (end > state.end) list.push([updateEnd, [end]])
    return list
  }

  /** The blocks' bytes, encoded in one buffer as far as they are not encoded yet. */
  private encode(): ReadonlyArray<Uint8Array> {
    const { blocks } = this
    const writers = blocks.flatMap(({ content }) => (content instanceof BlockWriter ? [content] : []))
    const { bytes, lengths } = encodeBlocks(writers)
    let at = 0
    let next = 0
    return blocks.map(({ content }) =>
      content instanceof BlockWriter ? bytes.subarray(at, (at += lengths[next++]!)) : content,
    )
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
