/**
 * An `SqlClient` of `effect/sql` over `node:sqlite`: one connection, shared through a semaphore.
 *
 * It has the shape of `@effect/sql-sqlite-node`, which takes its place as soon as a release of it fits this version of
 * Effect. Statements are prepared once and kept. Every failure is an `SqlError`, classified by SQLite's result code,
 * which the error's cause keeps as `errno`. Integers beyond 2^53 are such a failure too: they cannot be read exactly.
 *
 * Calls are synchronous: they hold the thread until SQLite answers. Run it in a worker where that matters.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import { classifySqliteError, SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import type { BatchConnection, SynchronousClient } from "../sql/Session.ts"

export interface SqliteClientConfig {
  /** A path, or a `file:` URL with parameters for SQLite. */
  readonly filename: string | URL
  /** Open without the right to write; the file must exist. */
  readonly readonly?: boolean | undefined
  /** How long to wait for a lock that somebody else holds, by default 1,000 ms. It holds up the thread. */
  readonly busyTimeoutMillis?: number | undefined
  /** Statements kept prepared, by default 200. */
  readonly prepareCacheSize?: number | undefined
}

/** Opens the file and closes it with the scope. */
export const make = (
  config: SqliteClientConfig,
): Effect.Effect<SynchronousClient, SqlError, Scope.Scope | Reactivity.Reactivity> =>
  Effect.gen(function* () {
    const database = yield* Effect.acquireRelease(open(config), (database) => Effect.sync(() => database.close()))
    const semaphore = yield* Semaphore.make(1)
    const connection = makeConnection(database, config.prepareCacheSize ?? 200)
    const acquirers = SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connection),
      semaphore,
      isTransaction: () => database.isTransaction,
    })
    const client = yield* SqlClient.make({
      ...acquirers,
      compiler: Statement.makeCompilerSqlite(),
      driver: "sqlite-node",
      spanAttributes: [["db.system.name", "sqlite"]],
      prepareTransactionControls: true,
      releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    })
    return Object.assign(client, { transactNow: makeTransactNow(database, connection) })
  })

/** A client on a file, closed with the layer's scope. */
export const layer = (config: SqliteClientConfig): Layer.Layer<SqlClient.SqlClient, SqlError> =>
  Layer.effect(SqlClient.SqlClient, make(config)).pipe(Layer.provide(Reactivity.layer))

const open = (config: SqliteClientConfig): Effect.Effect<DatabaseSync, SqlError> =>
  attempt("open", () => {
    const database = new DatabaseSync(config.filename, { readOnly: config.readonly === true })
    try {
      database.exec(`PRAGMA busy_timeout = ${config.busyTimeoutMillis ?? 1000}`)
    } catch (error) {
      database.close()
      throw error
    }
    return database
  })

interface Prepared {
  readonly statement: StatementSync
  /** Whether it gives rows. */
  readonly reads: boolean
  /** Whether it gives them as arrays now. */
  arrays: boolean
}

// What SQLite cannot bind it refuses by itself, with an error that becomes an SqlError.
const bindable = (params: ReadonlyArray<unknown>) => params as ReadonlyArray<SQLInputValue>

/** A connection whose statements can also be run without an Effect around them. */
interface DirectConnection extends BatchConnection {
  /** Throws what node:sqlite throws. */
  readonly runNow: (sql: string, params: ReadonlyArray<unknown>) => void
}

const makeTransactNow =
  (database: DatabaseSync, { runNow }: DirectConnection): SynchronousClient["transactNow"] =>
  (begin, statements) => {
    if (database.isTransaction) return "busy"
    const tryRun = (run: () => void): SqlError | undefined => {
      try {
        run()
        return undefined
      } catch (error) {
        return toSqlError(error, "execute")
      }
    }
    const failed = tryRun(() => {
      runNow(begin, [])
      for (const [sql, params] of statements) runNow(sql, params)
    })
    const error = failed ?? tryRun(() => runNow("COMMIT", []))
    if (error === undefined) return undefined
    const rollbackError = database.isTransaction ? tryRun(() => runNow("ROLLBACK", [])) : undefined
    return { error, at: failed === undefined ? "commit" : "statement", rollbackError }
  }

const makeConnection = (database: DatabaseSync, cacheSize: number): DirectConnection => {
  const cache = new Map<string, Prepared>()

  const prepare = (sql: string, arrays: boolean): Prepared => {
    let prepared = cache.get(sql)
    if (prepared === undefined) {
      prepared = prepareOnce(sql)
      // The oldest goes first. Statements of hot paths are few, and are back after one more preparation.
      if (cache.size >= cacheSize) for (const oldest of cache.keys()) if (cache.delete(oldest)) break
      cache.set(sql, prepared)
    }
    return setArrays(prepared, arrays)
  }
  const prepareOnce = (sql: string): Prepared => {
    const statement = database.prepare(sql)
    return { statement, reads: statement.columns().length > 0, arrays: false }
  }
  const setArrays = (prepared: Prepared, arrays: boolean): Prepared => {
    if (prepared.arrays !== arrays) {
      prepared.statement.setReturnArrays(arrays)
      prepared.arrays = arrays
    }
    return prepared
  }
  const objects = ({ statement }: Prepared, params: ReadonlyArray<unknown>): ReadonlyArray<Row> =>
    statement.all(...bindable(params))
  const values = ({ statement }: Prepared, params: ReadonlyArray<unknown>) => {
    const rows: ReadonlyArray<unknown> = statement.all(...bindable(params))
    return rows as ReadonlyArray<ReadonlyArray<unknown>>
  }

  const runNow = (sql: string, params: ReadonlyArray<unknown>): void => {
    prepare(sql, false).statement.run(...bindable(params))
  }

  return {
    execute: (sql, params, transformRows) =>
      attempt("execute", () => transform(objects(prepare(sql, false), params), transformRows)),
    executeUnprepared: (sql, params, transformRows) =>
      attempt("execute", () => transform(objects(prepareOnce(sql), params), transformRows)),
    executeValues: (sql, params) => attempt("execute", () => values(prepare(sql, true), params)),
    executeValuesUnprepared: (sql, params) =>
      attempt("execute", () => values(setArrays(prepareOnce(sql), true), params)),
    executeRaw: (sql, params) =>
      attempt("execute", () => {
        const prepared = prepare(sql, false)
        return prepared.reads ? objects(prepared, params) : prepared.statement.run(...bindable(params))
      }),
    executeAll: (statements) =>
      attempt("execute", () => {
        for (const [sql, params] of statements) runNow(sql, params)
      }),
    runNow,
    executeStream: (sql, params, transformRows) =>
      Stream.fromIterableEffect(
        attempt("execute", () => transform(objects(prepare(sql, false), params), transformRows)),
      ),
  }
}

interface Row {
  readonly [column: string]: unknown
}

const transform = <A extends object>(
  rows: ReadonlyArray<A>,
  transformRows: (<B extends object>(rows: ReadonlyArray<B>) => ReadonlyArray<B>) | undefined,
): ReadonlyArray<A> => (transformRows === undefined ? rows : transformRows(rows))

const attempt = <A>(operation: string, evaluate: () => A): Effect.Effect<A, SqlError> =>
  Effect.try({ try: evaluate, catch: (error) => toSqlError(error, operation) })

const toSqlError = (error: unknown, operation: string): SqlError => {
  const message = error instanceof Error ? error.message : String(error)
  // node:sqlite puts SQLite's result code into `errcode`; Effect's classification looks for `errno`.
  const errno = error instanceof Error && "errcode" in error ? error.errcode : undefined
  return new SqlError({ reason: classifySqliteError({ errno, message, cause: error }, { message, operation }) })
}
