/**
 * How logs are kept in SQLite, whatever client speaks to it.
 *
 * Positions are row ids, given explicitly: the journal is the table of blocks itself. The only other index on it is by
 * log and offset; it holds the position too, as every index of SQLite does, so that a place in a log is found without
 * reading messages.
 */
import * as Effect from "effect/Effect"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import type { Durability } from "../LogStore.ts"
import type { Dialect } from "./Dialect.ts"

const migrations: ReadonlyArray<ReadonlyArray<string>> = [
  [
    `CREATE TABLE millrace_journal (
      one INTEGER PRIMARY KEY CHECK (one = 1),
      last_position INTEGER NOT NULL
    ) STRICT`,
    `INSERT INTO millrace_journal (one, last_position) VALUES (1, 0)`,
    `CREATE TABLE millrace_logs (
      log INTEGER PRIMARY KEY,
      topic TEXT NOT NULL,
      tenant TEXT NOT NULL,
      line TEXT NOT NULL,
      device TEXT NOT NULL,
      head INTEGER NOT NULL,
      UNIQUE (topic, tenant, line, device)
    ) STRICT`,
    `CREATE TABLE millrace_blocks (
      last_position INTEGER PRIMARY KEY,
      log INTEGER NOT NULL,
      last_offset INTEGER NOT NULL,
      messages INTEGER NOT NULL,
      content BLOB NOT NULL
    ) STRICT`,
    `CREATE UNIQUE INDEX millrace_blocks_by_offset ON millrace_blocks (log, last_offset)`,
    `CREATE TABLE millrace_tombstones (
      log INTEGER NOT NULL,
      first_offset INTEGER NOT NULL,
      last_offset INTEGER NOT NULL,
      PRIMARY KEY (log, first_offset)
    ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE millrace_keys (
      position INTEGER PRIMARY KEY,
      log INTEGER NOT NULL,
      name TEXT NOT NULL,
      digest BLOB,
      keyed_at INTEGER NOT NULL
    ) STRICT`,
    `CREATE UNIQUE INDEX millrace_keys_by_name ON millrace_keys (log, name)`,
  ],
  [
    `CREATE TABLE millrace_queues (
      queue INTEGER PRIMARY KEY,
      name TEXT NOT NULL UNIQUE,
      first_sequence INTEGER NOT NULL,
      last_sequence INTEGER NOT NULL,
      attempts INTEGER NOT NULL
    ) STRICT`,
    `CREATE TABLE millrace_queue_blocks (
      queue INTEGER NOT NULL,
      last_sequence INTEGER NOT NULL,
      items INTEGER NOT NULL,
      about TEXT NOT NULL,
      content BLOB NOT NULL
    ) STRICT`,
    `CREATE UNIQUE INDEX millrace_queue_blocks_by_sequence ON millrace_queue_blocks (queue, last_sequence)`,
  ],
  [
    `CREATE TABLE millrace_cursors (
      name TEXT PRIMARY KEY,
      topics TEXT NOT NULL,
      tenant TEXT,
      line TEXT,
      device TEXT,
      position INTEGER NOT NULL,
      epoch INTEGER NOT NULL,
      moved_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE millrace_cursor_epochs (
      one INTEGER PRIMARY KEY CHECK (one = 1),
      last_epoch INTEGER NOT NULL
    ) STRICT`,
    `INSERT INTO millrace_cursor_epochs (one, last_epoch) VALUES (1, 0)`,
  ],
]

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
  migrations,
  begin: "BEGIN IMMEDIATE",
  text: (sql) => sql,
  oneOf: (column) => `${column} IN (SELECT value FROM json_each(?))`,
  oneOfValue: (numbers) => `[${numbers.join(",")}]`,
  durability,
  // What is in the log moves into the database, and the log begins anew in the space that it has.
  makeRoom: "PRAGMA wal_checkpoint(PASSIVE)",
  failureKind: (error, at) => {
    const code = resultCode(error)
    if (code === fullCode) return "full"
    if (code === undefined) return at === "commit" ? "unknown" : "clean"
    if (fatalCodes.has(code)) return "unknown"
    return at === "commit" && !cleanCodes.has(code) ? "unknown" : "clean"
  },
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
