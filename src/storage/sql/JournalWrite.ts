/**
 * The statements that write what is on its way into the journal, to be run within a transaction.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { JournalBlocks, type JournalChanges } from "../parts/JournalBlocks.ts"
import type { Dialect } from "./Dialect.ts"
import type { LogTable } from "./LogTable.ts"
import type { Session, Statement } from "./Session.ts"
import type { Sharing } from "./Sharing.ts"

/** What a write has to know of where it writes. */
export interface KnownJournal {
  /** Absent where one process has the database to itself. */
  readonly sharing: Sharing | undefined
  /** How far changes by others of this node's own logs are known, where several nodes write. */
  foreignChanges: number
}

/** The store's state in memory that a write goes on from. */
export interface JournalState extends KnownJournal {
  readonly dialect: Dialect
  readonly logs: LogTable
  /** The journal's last position, as far as is known. */
  end: number
}

/** All that a write does to the journal, and what it was planned with. */
export interface JournalRows extends JournalChanges {
  readonly wasEnd: number
  readonly wasLastLog: number
  readonly keys: KeyRows | undefined
}

/** What a write does to the table of keys. */
export interface KeyRows {
  readonly added: ReadonlyArray<{
    readonly position: number
    /** The log's number. */
    readonly log: number
    readonly key: string
    readonly keyedAt: number
    /** Position of an entry of the same key that is too old, and makes room for this one. */
    readonly replaces: number | undefined
  }>
  /** Positions of entries that go for good. */
  readonly deleted: ReadonlyArray<number>
  /** How many of the oldest of those that were there are too many then. */
  readonly excess: number
}

export class JournalWrite extends JournalBlocks {
  private readonly journal: JournalState
  /** What it does to the table of keys. */
  keys: KeyRows | undefined

  constructor(state: JournalState) {
    super(state)
    this.journal = state
  }

  /** The statements that write everything; to be run once, within the transaction. */
  statements(): ReadonlyArray<Statement> {
    const { journal, keys } = this
    const rows = { ...this.changes(), wasEnd: journal.end, wasLastLog: journal.logs.lastNumber, keys }
    return journal.dialect.journal(rows, journal)
  }

  /**
   * Writes everything; to be run once. Gives false, and has written nothing, where others have written since this was
   * planned and it does not hold any more.
   */
  flush(session: Session): Effect.Effect<boolean, SqlError> {
    return Effect.suspend(() => {
      const { journal } = this
      if (journal.sharing === undefined) return Effect.as(session.runAll(this.statements()), true)
      if (this.isEmpty && this.keys === undefined) return Effect.succeed(true)
      const [sql, params] = this.statements()[0]!
      return Effect.map(session.values(sql, params), ([row]) => {
        if (row === undefined) return false
        this.shift = (row[0] as number) - journal.end
        return true
      })
    })
  }
}
