/** Transactions of the client for SQLite that are run in one go: all of it, or nothing. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { isSynchronous } from "../../src/storage/sql/Session.ts"
import * as SqliteClient from "../../src/storage/sqlite/SqliteClient.ts"

const begin = "BEGIN IMMEDIATE"
const insert = (id: number, parent: number) => ["INSERT INTO t VALUES (?, ?)", [id, parent]] as const

/** A client with a table whose rows refer to one another, which is looked at when a transaction commits. */
const withClient = <A>(use: (sql: SqlClient) => Effect.Effect<A, unknown>) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    yield* sql.unsafe("PRAGMA foreign_keys = ON").raw
    yield* sql.unsafe("CREATE TABLE t (id INTEGER PRIMARY KEY, parent REFERENCES t DEFERRABLE INITIALLY DEFERRED)").raw
    return yield* use(sql)
  }).pipe(Effect.provide(SqliteClient.layer({ filename: ":memory:" })))

const ids = (sql: SqlClient) =>
  Effect.map(sql.unsafe<{ id: number }>("SELECT id FROM t"), (rows) => rows.map((r) => r.id))

const transact = (sql: SqlClient, ...statements: ReadonlyArray<ReturnType<typeof insert>>) => {
  if (!isSynchronous(sql)) throw new Error("this client runs transactions in one go")
  return sql.transactNow(begin, statements)
}

describe("a transaction in one go", () => {
  it.effect("is committed as a whole", () =>
    withClient((sql) =>
      Effect.gen(function* () {
        expect(transact(sql, insert(1, 2), insert(2, 1))).toBeUndefined()
        expect(yield* ids(sql)).toEqual([1, 2])
      }),
    ),
  )

  it.effect("changes nothing where a statement fails, and leaves no transaction open", () =>
    withClient((sql) =>
      Effect.gen(function* () {
        expect(transact(sql, insert(1, 1), insert(1, 1))).toMatchObject({ at: "statement", rollbackError: undefined })
        expect(yield* ids(sql)).toEqual([])
        expect(transact(sql, insert(1, 1))).toBeUndefined()
      }),
    ),
  )

  it.effect("changes nothing where the commit fails, and leaves no transaction open", () =>
    withClient((sql) =>
      Effect.gen(function* () {
        expect(transact(sql, insert(1, 7))).toMatchObject({ at: "commit", rollbackError: undefined })
        expect(yield* ids(sql)).toEqual([])
        expect(transact(sql, insert(1, 1))).toBeUndefined()
      }),
    ),
  )

  it.effect("waits for whoever is in the middle of one", () =>
    withClient((sql) =>
      Effect.gen(function* () {
        yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql.unsafe("INSERT INTO t VALUES (1, 1)").raw
            expect(transact(sql, insert(2, 2))).toBe("busy")
          }),
        )
        expect(yield* ids(sql)).toEqual([1])
      }),
    ),
  )
})
