/**
 * What a store in memory holds, apart from the store: a "disk" that outlives the stores opened on it, so that closing
 * and reopening can be tested without files.
 *
 * The journal is an array: the message at position `p` is its element `p - 1`, or nothing where it was discarded. A log is
 * the list of its messages' positions.
 */
import { randomUUID } from "node:crypto"
import type { LogId } from "../../domain/LogId.ts"
import { key as logKey } from "../../domain/LogId.ts"
import type { Message } from "../../domain/Message.ts"
import type { NodeId } from "../../domain/NodeId.ts"
import type { KeyedMessage } from "../parts/AppendPlan.ts"
import type { StoredCursor } from "../CursorStore.ts"
import type { StoredItemBlock } from "../parts/ItemBlock.ts"
import type { QueueEnds } from "../parts/QueuePlan.ts"
import type { OffsetRange } from "../parts/OffsetRanges.ts"
import { Sharing, type SharingOptions } from "./Sharing.ts"

/** One log: `positions[offset - 1]` is where its message is in the journal. */
export interface MemoryLog {
  readonly log: LogId
  readonly positions: Array<number>
  tombstones: ReadonlyArray<OffsetRange>
}

/** One queue. */
export interface MemoryQueue {
  ends: QueueEnds
  /** From a block before the front on, or the one with it. */
  blocks: Array<StoredItemBlock>
}

export interface MemoryDisk {
  readonly incarnation: string
  /** Whose it is; absent until a store was opened on it, and where several nodes share it. */
  node: NodeId | undefined
  /** The nodes, by their keys, whose stores are open on it. */
  readonly open: Set<string>
  /** What the stores of several nodes have in common beside what is on it; absent where one has it to itself. */
  readonly sharing: Sharing | undefined
  readonly journal: Array<Message | undefined>
  /** By `LogId.key`. */
  readonly logs: Map<string, MemoryLog>
  /** Remembered keys of each node, the oldest first, by log and key. */
  readonly keys: Map<string, Map<string, KeyedMessage>>
  /** By name. */
  readonly queues: Map<string, MemoryQueue>
  /** By name. */
  readonly cursors: Map<string, StoredCursor>
  /** The last epoch that a holder of a cursor got. */
  lastEpoch: number
  /** Records of each node, by key. */
  readonly records: Map<string, Map<string, string>>
}

export interface DiskOptions {
  /** Whether several nodes may use it at the same time, each with a store of its own. */
  readonly shared?: boolean | SharingOptions | undefined
}

/** An empty disk, with an incarnation of its own. */
export const makeDisk = ({ shared = false }: DiskOptions = {}): MemoryDisk => ({
  incarnation: randomUUID(),
  node: undefined,
  open: new Set(),
  sharing: shared === false ? undefined : new Sharing(shared === true ? {} : shared),
  journal: [],
  logs: new Map(),
  keys: new Map(),
  queues: new Map(),
  cursors: new Map(),
  lastEpoch: 0,
  records: new Map(),
})

/** The log, made where it does not exist. */
export const openLog = (disk: MemoryDisk, log: LogId): MemoryLog => {
  const key = logKey(log)
  let found = disk.logs.get(key)
  if (found === undefined) {
    found = { log, positions: [], tombstones: [] }
    disk.logs.set(key, found)
  }
  return found
}

/** The stored message at an offset, if the log has it. */
export const messageAt = (disk: MemoryDisk, log: MemoryLog, offset: number): Message | undefined => {
  const position = log.positions[offset - 1]
  return position === undefined ? undefined : disk.journal[position - 1]
}
