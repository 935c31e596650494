/**
 * SQLite, whatever client speaks to it.
 */
import * as Effect from "effect/Effect"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import type { Durability } from "../../LogStore.ts"
import type { Dialect } from "../Dialect.ts"
import { journalStatements } from "./sqliteJournal.ts"
import { sqliteTables } from "./sqliteTables.ts"

/**
 * Result codes after which a rollback leaves the database as it was: a lock (5, 6), no right to write (8), no space
 * left (13: the commit's record is the last thing written, so an incomplete write never counts), a value too large
 * (18), a constraint (19), a type (20).
 */
const cleanCodes: ReadonlySet<number> = new Set([5, 6, 8, 13, 18, 19, 20])

const fullCode = 13

/** I/O error, corruption, a file that is no database any more. */
const fatalCodes: ReadonlySet<number> = new Set([10, 11, 26])

/** SQLite's primary result code, as the clients at hand report it. */
export const resultCode = (error: SqlError): number | undefined => {
  const cause: unknown = error.reason.cause
  if (typeof cause !== "object" || cause === null) return undefined
  if ("errno" in cause && typeof cause.errno === "number") return cause.errno & 0xff
  if ("errcode" in cause && typeof cause.errcode === "number") return cause.errcode & 0xff
  return undefined
}

const pragma = (connection: Connection, name: string): Effect.Effect<unknown, SqlError> =>
  Effect.map(connection.executeValuesUnprepared(`PRAGMA ${name}`, []), (rows) => rows[0]?.[0])

const durability = (connection: Connection): Effect.Effect<Durability, SqlError> =>
  Effect.gen(function* () {
    const files = yield* connection.executeValuesUnprepared("SELECT file FROM pragma_database_list", [])
    if (files[0]?.[0] === "" || files[0]?.[0] === null) return "memory"
    const journal = yield* pragma(connection, "journal_mode")
    const synchronous = Number(yield* pragma(connection, "synchronous"))
    if (journal === "off" || journal === "memory") return "memory"
    // In WAL mode NORMAL does not sync at a commit; with a rollback journal it nearly always does, which is not enough.
    return synchronous >= 2 ? "fsync" : "os"
  })

export const sqliteDialect: Dialect = {
  name: "sqlite",
  migrations: sqliteTables,
  begin: "BEGIN IMMEDIATE",
  beginReading: "BEGIN",
  journal: journalStatements,
  text: (sql) => sql,
  oneOf: (column) => `${column} IN (SELECT value FROM json_each(?))`,
  oneOfValue: (numbers) => `[${numbers.join(",")}]`,
  durability,
  // What is in the log moves into the database, and the log begins anew in the space that it has.
  makeRoom: "PRAGMA wal_checkpoint(PASSIVE)",
  failureKind: (error, at) => {
    const code = resultCode(error)
    if (code === fullCode) return "full"
    if (code === undefined) return at === "statement" ? "clean" : "unknown"
    if (fatalCodes.has(code)) return "unknown"
    return at !== "statement" && !cleanCodes.has(code) ? "unknown" : "clean"
  },
  // One connection writes at a time.
  isTransient: () => false,
  selectEnd: "SELECT last_position, last_discarded FROM millrace_journal",
  selectTables: "SELECT name, sql FROM sqlite_schema",
  integrity: (session) =>
    Effect.map(session.values("PRAGMA integrity_check", []), (rows) =>
      rows.map(([line]) => String(line)).filter((line) => line !== "ok"),
    ),
  sizeBytes: (session) =>
    Effect.map(
      session.values("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", []),
      (rows) => rows[0]![0] as number,
    ),
  isDamage: (error) => resultCode(error) === 11,
  isNoTransaction: (error) => error.message.includes("no transaction is active"),
}
