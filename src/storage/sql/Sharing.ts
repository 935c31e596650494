/**
 * What a store has to see to where several nodes write to one database. Each of them keeps in memory what only it
 * changes: the heads of its own logs and its keys. All else it asks the database for, with the lock held that keeps it
 * as it is.
 *
 * Every write transaction *enters* first: it makes sure that nobody else has become this node since, and that nobody
 * does until it ends. What adds to the journal locks that, too. Locks are taken in one order, so that nobody waits for
 * somebody who waits for him: the node's row, the journal's row, all else.
 */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { LogId } from "../../domain/LogId.ts"
import type { Session } from "./Session.ts"

/** Another process is this node now: nothing is written any more. */
export class Fenced extends Data.TaggedError("Fenced")<{ readonly message: string }> {}

/** The node as the database knows it. */
export interface Membership {
  /** The number of its row. */
  readonly number: number
  /** Of the process that is this node: whoever comes after it has a greater one. */
  readonly epoch: number
  /** Where other nodes are told what is written. */
  readonly channel: string
}

/** Where the journal is, and must stay, while it is locked. */
export interface JournalPlace {
  readonly end: number
  /** The greatest number of a log. */
  readonly lastLog: number
  /** Grows when a node changes a log of another node that uses the store. */
  readonly foreignChanges: number
}

export interface Sharing {
  readonly membership: Membership
  readonly enter: (session: Session) => Effect.Effect<void, SqlError | Fenced>
  /** Within a transaction that has entered: locks the journal until it ends. */
  readonly lockJournal: (session: Session) => Effect.Effect<JournalPlace, SqlError>
  /** Within such a transaction: notes that a log was changed that may be another node's, if that uses the store. */
  readonly changedForeign: (session: Session, log: LogId) => Effect.Effect<void, SqlError>
  /** Whether it could write now, without writing anything. */
  readonly check: (session: Session) => Effect.Effect<void, SqlError | Fenced>
}
