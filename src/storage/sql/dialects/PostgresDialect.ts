/**
 * PostgreSQL, whatever client speaks to it.
 */
import * as Effect from "effect/Effect"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import type { Durability } from "../../LogStore.ts"
import type { Dialect } from "../Dialect.ts"
import { journalStatement, tellEnqueued } from "./postgresJournal.ts"
import { postgresTables } from "./postgresTables.ts"

/** The server's code of an error (SQLSTATE), where the server has said something. */
export const sqlState = (error: SqlError): string | undefined => {
  const cause: unknown = error.reason.cause
  if (typeof cause !== "object" || cause === null || !("code" in cause)) return undefined
  return typeof cause.code === "string" && /^[0-9A-Z]{5}$/.test(cause.code) ? cause.code : undefined
}

/**
 * Codes after which nobody can say what became of a commit that was under way: the connection is lost (08), the server
 * shuts down or has crashed (57P01 … 57P05), it says so itself (40003), or has failed at its own work (58, XX).
 */
const isDoubtful = (code: string): boolean =>
  code.startsWith("08") || code.startsWith("57P0") || code === "40003" || code.startsWith("58") || code.startsWith("XX")

/** Whether the connection that an error comes from is of no use any more. */
export const isConnectionLost = (error: SqlError): boolean => {
  const code = sqlState(error)
  return code === undefined ? error.reason._tag === "ConnectionError" : code.startsWith("08") || code.startsWith("57P0")
}

/** Whether a statement was refused before it was sent. */
const isUnsent = (error: SqlError): boolean => error.message.includes("Failed to encode")

/** No space left for a table; the log of the server itself has its own, and the server ends where that is full. */
const diskFull = "53100"

/** A lock that would have been waited for in a circle, a transaction that collided with another, a row that another one
 * has added meanwhile. */
const collisions: ReadonlySet<string> = new Set(["40P01", "40001", "23505"])

const settings = `SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit')`

const durability = (connection: Connection): Effect.Effect<Durability, SqlError> =>
  Effect.map(connection.executeValuesUnprepared(settings, []), ([row]) => {
    const [fsync, fullPageWrites, synchronousCommit] = row as ReadonlyArray<string>
    return fsync === "on" && fullPageWrites === "on" && synchronousCommit !== "off" ? "fsync" : "os"
  })

const toNumber = (value: unknown): unknown => {
  if (typeof value !== "bigint") return value
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new RangeError(`the number ${value} is too large to be exact`)
  return number
}

export const quoted = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`

/** Names of our tables; those of indexes are in the schema of their table by themselves. */
const ownTables = /(?<!INDEX )\bmillrace_[a-z_]+/g

const textIn = (schema: string): Dialect["text"] => {
  const texts = new Map<string, string>()
  return (sql) => {
    let text = texts.get(sql)
    if (text === undefined) {
      let number = 0
      text = sql.replace(/\?/g, () => `$${++number}`).replace(ownTables, `${quoted(schema)}.$&`)
      texts.set(sql, text)
    }
    return text
  }
}

const selectUnusable = `SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  WHERE c.relnamespace = ?::regnamespace AND c.relname LIKE 'millrace\\_%' AND NOT (i.indisvalid AND i.indisready)`

/** The dialect for the tables of one schema. */
export const postgresDialect = (schema: string): Dialect => ({
  name: "postgres",
  migrations: postgresTables,
  // Whatever is the default there: what is locked is to be seen as it is then.
  begin: "BEGIN ISOLATION LEVEL READ COMMITTED",
  beginReading: "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
  text: textIn(schema),
  value: toNumber,
  journal: (rows, known) => [journalStatement(rows, known)],
  tellEnqueued,
  oneOf: (column) => `${column} = ANY(?::bigint[])`,
  oneOfValue: (numbers) => `{${numbers.join(",")}}`,
  durability,
  makeRoom: undefined,
  failureKind: (error, at) => {
    const code = sqlState(error)
    if (code === diskFull) return "full"
    if (at === "statement" || isUnsent(error)) return "clean"
    return code === undefined || isDoubtful(code) ? "unknown" : "clean"
  },
  isTransient: (error) => isConnectionLost(error) || collisions.has(sqlState(error) ?? ""),
  selectEnd: "SELECT last_position, last_discarded, last_log FROM millrace_journal",
  selectNodes: "SELECT tenant, line, device FROM millrace_nodes ORDER BY node",
  selectTables: `SELECT relname, NULL FROM pg_class WHERE relnamespace = '${quoted(schema).replaceAll("'", "''")}'::regnamespace
    AND relkind = 'r'`,
  integrity: (session) =>
    Effect.map(session.values(selectUnusable, [quoted(schema)]), (rows) =>
      rows.map(([index]) => `the index ${String(index)} is not valid; REINDEX makes it anew`),
    ),
  sizeBytes: (session) =>
    Effect.map(
      session.values(
        `SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
         WHERE relnamespace = ?::regnamespace AND relkind = 'r' AND relname LIKE 'millrace\\_%'`,
        [quoted(schema)],
      ),
      (rows) => rows[0]![0] as number,
    ),
  isDamage: (error) => ["XX001", "XX002"].includes(sqlState(error) ?? ""),
  isEndedByFailure: true,
  // Where the connection is lost, so is the transaction.
  isNoTransaction: isConnectionLost,
})
