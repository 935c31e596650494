/**
 * What differs between the databases that logs are stored in. All other SQL of this folder is written once, with `?`
 * for parameters.
 */
import type * as Effect from "effect/Effect"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import type { Durability } from "../LogStore.ts"
import type { Session } from "./Session.ts"

/** What a failed statement of a write transaction leaves behind. */
export type FailureKind =
  /** The transaction can be rolled back, and nothing has changed. */
  | "clean"
  /** The same, for want of space. */
  | "full"
  /** The database may have lost track of what is on the disk: nobody knows, and writing must stop. */
  | "unknown"

export interface Dialect {
  /** The name as `StoreInfo.backend` shows it. */
  readonly name: string
  /** One list of statements for each format version, the first for version 1. A version adds to the ones before. */
  readonly migrations: ReadonlyArray<ReadonlyArray<string>>
  /** Begins a transaction that writes. */
  readonly begin: string
  /** SQL text with the dialect's own placeholders in the place of `?`. */
  readonly text: (sql: string) => string
  /** A condition that a column is one of the numbers in a single parameter, and that parameter's value. */
  readonly oneOf: (column: string) => string
  readonly oneOfValue: (numbers: ReadonlyArray<number>) => unknown
  /** What an acknowledged commit survives, as the connection is set up. */
  readonly durability: (connection: Connection) => Effect.Effect<Durability, SqlError>
  /** A statement that sets space free in the database's own files, as far as that is possible. */
  readonly makeRoom: string
  readonly failureKind: (error: SqlError, at: "statement" | "commit") => FailureKind
  /** The names of all tables and indexes, and the statements that made them, where the database keeps those. */
  readonly selectTables: string
  /** What the database itself finds wrong with what it stores. */
  readonly integrity: (session: Session) => Effect.Effect<ReadonlyArray<string>, SqlError>
  /** Bytes that the database takes. */
  readonly sizeBytes: (session: Session) => Effect.Effect<number, SqlError>
  /** Whether an error says that what is stored is not what was written. */
  readonly isDamage: (error: SqlError) => boolean
  /** Whether an error only says that there was no transaction to roll back. */
  readonly isNoTransaction: (error: SqlError) => boolean
}
