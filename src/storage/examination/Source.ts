/**
 * What an examination reads of a store, as rows of columns whose values may be anything: what a database holds of a store
 * that is damaged is not to be trusted.
 */
import type * as Effect from "effect/Effect"

/** Something could not be read. */
export interface ReadFailure {
  readonly message: string
}

export type Row = ReadonlyArray<unknown>
export type Rows = Effect.Effect<ReadonlyArray<Row>, ReadFailure>

/** Tables of the database, as far as that knows what they are. */
export interface Definition {
  /** Whether there are any. */
  readonly isEmpty: boolean
  /** Whether the store's own are among them. */
  readonly isStore: boolean
  /** Those of the store's that are not as they were made. */
  readonly altered: ReadonlyArray<string>
}

export interface Source {
  /** What the names of tables begin with. */
  readonly prefix: string
  /** The format that this version of millrace knows. */
  readonly currentFormat: number
  readonly definition: Effect.Effect<Definition, ReadFailure>
  /** Name and value. */
  readonly meta: Rows
  /** Tenant, line, device of the nodes that share the store; absent where it belongs to the one that `meta` names. */
  readonly nodes?: Rows | undefined
  /** What the database itself finds wrong with what it stores. */
  readonly integrity: Effect.Effect<ReadonlyArray<string>, ReadFailure>
  readonly sizeBytes: Effect.Effect<number, ReadFailure>
  /** What is noted as the journal's end. */
  readonly end: Effect.Effect<unknown, ReadFailure>
  /** The last position at which messages were discarded, as it is noted: what is there has no block. */
  readonly lastDiscarded: Effect.Effect<unknown, ReadFailure>
  /** Number, topic, tenant, line, device, head. */
  readonly logs: Rows
  /** Log, first and last offset, in this order. */
  readonly deletedRanges: Rows
  /** Last position, log, last offset, messages and bytes of the blocks that follow a position, in order: `rowsMax` at most. */
  readonly blocks: (after: number) => Rows
  /** The contents of the blocks whose last positions are from one to another, in order. */
  readonly blockContents: (from: number, to: number) => Rows
  /** Position, log and name of the keys that point at no message of their log. */
  readonly lostKeys: Rows
  /** Logs that have keys. */
  readonly keyedLogs: Rows
  /** Number, name, first sequence, last sequence, attempts. */
  readonly queues: Rows
  /** Numbers of queues that have blocks and are none. */
  readonly lostQueues: Rows
  /** Last sequence, items and bytes of a queue's blocks that follow a sequence, in order: `rowsMax` at most. */
  readonly queueBlocks: (queue: number, after: number) => Rows
  /** What the items are about, and content, of a queue's blocks whose last sequences are from one to another, in order. */
  readonly queueContents: (queue: number, from: number, to: number) => Rows
  /** Name, topics, tenant, line, device, position, epoch. */
  readonly cursors: Rows
  /** The last epoch that was given. */
  readonly lastEpoch: Effect.Effect<unknown, ReadFailure>
  /** Key and text. */
  readonly records: Rows
}
