/**
 * What differs between the databases that stores are kept in. All other SQL is written once, with `?` for parameters.
 */
import type * as Effect from "effect/Effect"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import type { Durability } from "../LogStore.ts"
import type { Session, Statement } from "./Session.ts"
import type { JournalRows, KnownJournal } from "./JournalWrite.ts"
import type { Membership } from "./Sharing.ts"

/** What a failed statement of a write transaction leaves behind. */
export type FailureKind =
  /** The transaction can be rolled back, and nothing has changed. */
  | "clean"
  /** The same, for want of space. */
  | "full"
  /** The database may have lost track of what is on the disk, or nobody heard its answer: writing must stop. */
  | "unknown"

/** What failed: a statement within a transaction, its commit, or a statement that is a transaction by itself. */
export type FailurePlace = "statement" | "commit" | "at once"

export interface Dialect {
  /** The name as `StoreInfo.backend` shows it. */
  readonly name: string
  /** One list of statements for each format version, the first for version 1. A version adds to the ones before. */
  readonly migrations: ReadonlyArray<ReadonlyArray<string>>
  /** Begins a transaction that writes. */
  readonly begin: string
  /** Begins one that only reads, and sees the database as it is at one moment. */
  readonly beginReading: string
  /** SQL text with the dialect's own placeholders in the place of `?`. */
  readonly text: (sql: string) => string
  /** A value of a row as it is wanted here: numbers are numbers. Absent where they are already. Throws where it cannot be exact. */
  readonly value?: ((value: unknown) => unknown) | undefined
  /**
   * Writes what is new in the journal. Where several nodes write, that is one statement, which looks whether what it
   * was planned with still holds: it gives one row with the journal's end before it, or none and does nothing.
   */
  readonly journal: (rows: JournalRows, known: KnownJournal) => ReadonlyArray<Statement>
  /** Tells other nodes what queues got new items, where several nodes write. */
  readonly tellEnqueued?: ((queues: ReadonlyArray<string>, membership: Membership) => Statement) | undefined
  /** A condition that a column is one of the numbers in a single parameter, and that parameter's value. */
  readonly oneOf: (column: string) => string
  readonly oneOfValue: (numbers: ReadonlyArray<number>) => unknown
  /** What an acknowledged commit survives, as the connection is set up. */
  readonly durability: (connection: Connection) => Effect.Effect<Durability, SqlError>
  /** A statement that sets space free in the database's own files, as far as that is possible. */
  readonly makeRoom: string | undefined
  readonly failureKind: (error: SqlError, at: FailurePlace) => FailureKind
  /** Whether a transaction that failed with nothing changed may succeed when it is tried again. */
  readonly isTransient: (error: SqlError) => boolean
  /**
   * The journal's last position, the last one at which messages were discarded and, where several nodes write, the
   * greatest number of a log.
   */
  readonly selectEnd: string
  /** Tenant, line and device of the nodes that share a store, where several may. */
  readonly selectNodes?: string | undefined
  /** The names of all tables and indexes, and the statements that made them, where the database keeps those. */
  readonly selectTables: string
  /** What the database itself finds wrong with what it stores. */
  readonly integrity: (session: Session) => Effect.Effect<ReadonlyArray<string>, SqlError>
  /** Bytes that the database takes. */
  readonly sizeBytes: (session: Session) => Effect.Effect<number, SqlError>
  /** Whether an error says that what is stored is not what was written. */
  readonly isDamage: (error: SqlError) => boolean
  /** Whether nothing more can be read in a transaction in which a statement has failed. Absent: no. */
  readonly isEndedByFailure?: boolean | undefined
  /** Whether an error only says that there was no transaction to roll back. */
  readonly isNoTransaction: (error: SqlError) => boolean
}
