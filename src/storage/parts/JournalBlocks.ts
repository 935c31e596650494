/**
 * Messages on their way into the journal: gathered as blocks, to be written in one go within a transaction. What the
 * store remembers in memory — logs, heads, the journal's end — changes only once the commit has succeeded.
 */
import { type LogId, key as logKey } from "../../domain/LogId.ts"
import type { Message } from "../../domain/Message.ts"
import { type BlockContent, BlockWriter, encodeBlocks } from "./Block.ts"
import type { KnownLogs, LogRow } from "./KnownLogs.ts"
import type { BlockPlace } from "../LogStore.ts"

/** The store's state in memory that a write goes on from. */
export interface JournalState {
  readonly logs: KnownLogs
  /** The journal's last position. */
  end: number
}

/** A log in this write: `head` runs ahead of what is committed. */
export interface TouchedLog {
  readonly row: LogRow
  readonly isNew: boolean
  head: number
}

/** A block that is being filled, or that came as it is. */
interface AddedBlock {
  readonly log: TouchedLog
  readonly content: BlockWriter | Uint8Array
  messages: number
  lastPosition: number
  lastOffset: number
}

/** A block as it is to be stored. */
export interface NewBlock {
  readonly log: LogRow
  readonly messages: number
  readonly lastPosition: number
  readonly lastOffset: number
  readonly content: Uint8Array
}

/** All that is to be written. */
export interface JournalChanges {
  readonly created: ReadonlyArray<TouchedLog>
  /** Logs that were there before, whose heads move. */
  readonly moved: ReadonlyArray<TouchedLog>
  readonly blocks: ReadonlyArray<NewBlock>
  /** The journal's end, where it moves. */
  readonly end: number | undefined
}

export class JournalBlocks {
  private readonly state: JournalState
  private readonly touched = new Map<string, TouchedLog>()
  private readonly blocks: Array<AddedBlock> = []
  /** The journal's last position with what was added. */
  private end: number
  private lastNumber: number
  /** How much further on it was written than planned, where others have written meanwhile. */
  shift = 0

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

  /** What is to be written; to be asked for once. */
  changes(): JournalChanges {
    const { blocks, end, state } = this
    const touched = [...this.touched.values()]
    const encoded = this.encode()
    return {
      created: touched.filter((log) => log.isNew),
      moved: touched.filter((log) => !log.isNew && log.head !== log.row.head),
      blocks: blocks.map(({ lastOffset, lastPosition, log, messages }, i) => ({
        log: log.row,
        messages,
        lastPosition,
        lastOffset,
        content: encoded[i]!,
      })),
      end: end > state.end ? end : undefined,
    }
  }

  /** Whether there is nothing to be written. */
  get isEmpty(): boolean {
    return this.blocks.length === 0 && ![...this.touched.values()].some(({ isNew }) => isNew)
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
    const { logs } = this.state
    for (const { row, isNew, head } of this.touched.values()) {
      // A reader may have seen it meanwhile.
      if (isNew) logs.add(row)
      logs.get(row.number).head = head
    }
    this.state.end = this.end + this.shift
  }
}
