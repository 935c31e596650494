/**
 * What an examination of a store tells: what is wrong, where, and what can be done.
 *
 * Findings travel between threads and over the network, and are printed as JSON: the names of their kinds stay as they
 * are.
 */
import * as Schema from "effect/Schema"
import { LogId } from "../domain/LogId.ts"
import { NodeId } from "../domain/NodeId.ts"

const restore = "restore a backup; what is not affected can still be fetched and published elsewhere"
const wholeCopy = "copy the file again together with its -wal, or restore a backup"

/** What can be wrong, and what to do about it. */
export const remedies = {
  /** The file is no database, or none of ours. */
  "not a database": "see whether this is the right file; if it is, restore a backup",
  /** SQLite's own check of pages, rows and indexes. */
  "damaged database": restore,
  /** Something could not be read at all, and was not examined. */
  unreadable: restore,
  /** The file was in use and its log is not beside it. */
  incomplete: `${wholeCopy}; "millrace backup DEST --from FILE --incomplete" makes a store of what is there`,
  /** A log that is not the database's own. */
  "foreign log": "remove the -wal file that the sentence names, and nothing else",
  "newer format": "use the version of millrace that wrote it, or a newer one",
  "older format": "start a node on it: it brings the store up to date",
  /** What the store says of itself: whose it is, its incarnation. */
  identity: restore,
  /** A log's own row: its name, or blocks that name a log which is not there. */
  log: restore,
  gap: restore,
  duplicate: restore,
  /** Positions that do not grow from block to block. */
  order: restore,
  head: restore,
  end: restore,
  block: restore,
  tombstone: restore,
  /** Content that is there although its range was deleted. */
  "not deleted": "delete the range again",
  /** A marker on `$msgbus.delete`. */
  marker: "nothing needs to be done here; nodes that sync with this one will not learn of the deletion",
  key: "nothing needs to be done: a publish that repeats this key fails until the key has expired",
  queue: restore,
  cursor: "set the cursor to where its consumer is to go on",
  /** What a part of the node keeps about itself. */
  record: "nothing needs to be done: the part of the node that keeps the record makes it anew",
} as const

export type FindingKind = keyof typeof remedies

const kinds = Object.keys(remedies) as ReadonlyArray<FindingKind>

export const Finding = Schema.Struct({
  kind: Schema.Literals(kinds),
  /** One sentence: what is wrong, and where. */
  message: Schema.String,
  /** What can be done. */
  remedy: Schema.String,
  log: Schema.optionalKey(LogId),
  /** Offsets of the log that are concerned. */
  offsets: Schema.optionalKey(Schema.Struct({ first: Schema.Int, last: Schema.Int })),
  /** Position in the journal. */
  position: Schema.optionalKey(Schema.Int),
  queue: Schema.optionalKey(Schema.String),
  /** The row, where there is no better name: `table key`. */
  row: Schema.optionalKey(Schema.String),
})
export type Finding = typeof Finding.Type

export const ExaminationSummary = Schema.Struct({
  /** Absent where it cannot be read. */
  node: Schema.optionalKey(NodeId),
  incarnation: Schema.optionalKey(Schema.String),
  format: Schema.optionalKey(Schema.Int),
  logs: Schema.Int,
  messages: Schema.Int,
  queues: Schema.Int,
  items: Schema.Int,
  /** Size of the database. */
  bytes: Schema.Int,
  /** How many there are, also where only some of them were told. */
  findings: Schema.Int,
})
export type ExaminationSummary = typeof ExaminationSummary.Type

export const ExaminationEvent = Schema.TaggedUnion({
  /** So many of the journal's messages were looked at. */
  Progress: { done: Schema.Int, total: Schema.Int },
  Found: { finding: Finding },
  /** The last event. */
  Examined: { summary: ExaminationSummary },
})
export type ExaminationEvent = typeof ExaminationEvent.Type
