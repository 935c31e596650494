/** What becomes of writes when the database fails, over a real SQLite file whose connection is made to fail. */
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { SqlError, UnknownError } from "effect/sql/SqlError"
import { LogStore } from "../../src/storage/LogStore.ts"
import { layerOver as sqlLayer } from "../../src/storage/sqlite/overClient.ts"
import { isSynchronous, type SynchronousClient } from "../../src/storage/sql/Session.ts"
import * as SqliteClient from "../../src/storage/sqlite/SqliteClient.ts"
import { packDrafts, packPlaces, resultOfPlaces, unpackBlocks } from "../../src/storage/worker/Codec.ts"
import { draft, ownNode, unlimited } from "../../src/testing/storage/fixtures.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const log = { topic: "t", origin: ownNode }
const full = 13
const ioError = 10

/** The statements that fail, in turn: how they begin, with which result code, and whether they take effect all the same. */
type Faults = Array<{ readonly statement: string; readonly code: number; readonly takesEffect?: boolean }>

const planted = (code: number) =>
  new SqlError({ reason: new UnknownError({ cause: { errno: code }, message: "planted" }) })

const faultyConnection = (connection: Connection, faults: Faults): Connection => ({
  execute: connection.execute,
  executeUnprepared: connection.executeUnprepared,
  executeValues: connection.executeValues,
  executeValuesUnprepared: connection.executeValuesUnprepared,
  executeStream: connection.executeStream,
  // Statement by statement: what executes many at once is left out.
  executeRaw: (sql, params) =>
    Effect.suspend(() => {
      const [next] = faults
      if (next === undefined || !sql.startsWith(next.statement)) return connection.executeRaw(sql, params)
      faults.shift()
      const before = next.takesEffect === true ? Effect.asVoid(connection.executeRaw(sql, params)) : Effect.void
      return Effect.andThen(before, Effect.fail(planted(next.code)))
    }),
})

const faultyTransaction =
  ({ transactNow }: SynchronousClient, faults: Faults): SynchronousClient["transactNow"] =>
  (begin, statements) => {
    const fault = faults.shift()
    if (fault === undefined) return transactNow(begin, statements)
    if (fault.takesEffect === true) transactNow(begin, statements)
    const rollback = faults.shift()
    return {
      error: planted(fault.code),
      at: fault.statement === "COMMIT" ? "commit" : "statement",
      rollbackError: rollback === undefined ? undefined : planted(rollback.code),
    }
  }

/** How drafts are written: as they are; encoded, statement by statement; encoded, in one go. */
type Way = "drafts" | "blocks" | "blocks in one go"

const faulty = (client: SqlClient, way: Way, faults: Faults): SqlClient => {
  if (!isSynchronous(client)) throw new Error("the client for SQLite runs transactions in one go")
  return Object.assign(Object.create(client) as SqlClient, {
    reserve: Effect.map(client.reserve, (connection) => faultyConnection(connection, faults)),
    transactNow: way === "blocks in one go" ? faultyTransaction(client, faults) : undefined,
  })
}

/** Appends as the worker layer does: what has no key is encoded first. */
const appendingBlocks = (store: LogStore["Service"]): LogStore["Service"] => ({
  ...store,
  append: (requests) => {
    const packed = packDrafts(requests)
    return Effect.map(store.appendBlocks!(unpackBlocks(packed)), (places) => resultOfPlaces(packed, packPlaces(places)))
  },
})

/** A store whose connection fails as the faults say. */
const withFaultyStore = <A, E>(way: Way, use: (store: LogStore["Service"], faults: Faults) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const path = join(yield* temporaryDirectory, "store.db")
    const faults: Faults = []
    const client = Layer.effect(
      SqlClient,
      Effect.map(SqlClient, (client) => faulty(client, way, faults)),
    ).pipe(Layer.provide(SqliteClient.layer({ filename: path })))
    const store = sqlLayer({ name: path, node: ownNode, durability: "os" }).pipe(Layer.provide(client))
    return yield* Effect.provide(
      Effect.flatMap(LogStore, (store) => use(way === "drafts" ? store : appendingBlocks(store), faults)),
      store,
    )
  }).pipe(Effect.scoped)

const offsetsOf = (store: LogStore["Service"]) =>
  Effect.map(store.readLog(log, 1, unlimited), (messages) => messages.map(({ offset }) => offset))

describe.each<Way>(["drafts", "blocks", "blocks in one go"])("a write of %s whose database fails", (way) => {
  for (const [what, statement] of [
    ["at a statement", "INSERT INTO millrace_blocks"],
    ["at the commit", "COMMIT"],
  ] as const) {
    it.live(`${what}, for want of space, changes nothing, and the store goes on`, () =>
      withFaultyStore(way, (store, faults) =>
        Effect.gen(function* () {
          yield* store.append([[draft("t", "1")]])
          faults.push({ statement, code: full })
          const error = yield* Effect.flip(store.append([[draft("t", "2"), draft("u", "1")]]))
          expect(error._tag).toBe("StorageFull")
          yield* store.check
          expect((yield* store.append([[draft("t", "3"), draft("u", "2")]])).offsets).toEqual([2, 1])
          expect(yield* offsetsOf(store)).toEqual([1, 2])
          expect(yield* store.end).toBe(3)
        }),
      ),
    )

    it.live(`${what}, by an I/O error, has an unknown outcome, and the store writes no more but can be read`, () =>
      withFaultyStore(way, (store, faults) =>
        Effect.gen(function* () {
          yield* store.append([[draft("t", "1")]])
          faults.push({ statement, code: ioError })
          const error = yield* Effect.flip(store.append([[draft("t", "2")]]))
          expect(error._tag).toBe("OutcomeUnknown")
          const next = yield* Effect.flip(store.append([[draft("t", "2")]]))
          expect(next._tag).toBe("StorageFailed")
          expect(next.message).toContain("stopped writing; open it again")
          const check = yield* Effect.flip(store.check)
          expect(check.message).toContain("stopped writing")
          const tombstone = yield* Effect.flip(store.tombstone({ log, from: 1, to: 1, marker: undefined }))
          expect(tombstone._tag).toBe("StorageFailed")
          expect(yield* offsetsOf(store)).toEqual([1])
        }),
      ),
    )
  }

  it.live("after it took effect, shows what is there and does not number anew", () =>
    withFaultyStore(way, (store, faults) =>
      Effect.gen(function* () {
        faults.push({ statement: "COMMIT", code: ioError, takesEffect: true })
        const error = yield* Effect.flip(store.append([[draft("t", "1")]]))
        expect(error._tag).toBe("OutcomeUnknown")
        expect(yield* Effect.flip(store.append([[draft("t", "2")]]))).toMatchObject({ _tag: "StorageFailed" })
        expect(yield* store.end).toBe(1)
      }),
    ),
  )

  it.live("and cannot be rolled back, leaves nothing to be read either", () =>
    withFaultyStore(way, (store, faults) =>
      Effect.gen(function* () {
        yield* store.append([[draft("t", "1")]])
        faults.push({ statement: "UPDATE millrace_journal", code: full })
        faults.push({ statement: "ROLLBACK", code: ioError })
        const error = yield* Effect.flip(store.append([[draft("t", "2")]]))
        expect(error._tag).toBe("OutcomeUnknown")
        expect(yield* Effect.flip(store.end)).toMatchObject({ _tag: "StorageFailed" })
        expect(yield* Effect.flip(store.check)).toMatchObject({ _tag: "StorageFailed" })
      }),
    ),
  )
})

describe("a write whose database fails", () => {
  it.live("for want of space in earnest, goes on when there is space", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryDirectory, "store.db")
      const client = SqliteClient.layer({ filename: path })
      const store = sqlLayer({ name: path, node: ownNode }).pipe(Layer.provideMerge(client))
      yield* Effect.gen(function* () {
        const store = yield* LogStore
        const sql = yield* SqlClient
        yield* store.append([[draft("t", "1")]])
        yield* sql.unsafe("PRAGMA max_page_count = 40").raw
        const error = yield* Effect.flip(store.append([[draft("t", "x".repeat(1_000_000))]]))
        expect(error).toMatchObject({ _tag: "StorageFull" })
        yield* store.tombstone({ log, from: 1, to: 1, marker: { id: "m", createdAt: 1 } })
        yield* sql.unsafe("PRAGMA max_page_count = 100000").raw
        expect((yield* store.append([[draft("t", "x".repeat(1_000_000))]])).offsets).toEqual([2])
      }).pipe(Effect.provide(store))
    }).pipe(Effect.scoped),
  )

  it.live("for now, since the app is in a transaction of its own on the same client, waits for it", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryDirectory, "store.db")
      const store = sqlLayer({ name: path, node: ownNode }).pipe(
        Layer.provideMerge(SqliteClient.layer({ filename: path })),
      )
      yield* Effect.gen(function* () {
        const store = appendingBlocks(yield* LogStore)
        const sql = yield* SqlClient
        const order: Array<string> = []
        const append = Effect.tap(store.append([[draft("t", "1")]]), () => Effect.sync(() => order.push("append")))
        const appending = yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql.unsafe("CREATE TABLE letters (text TEXT)").raw
            const fiber = yield* Effect.forkDetach(append, { startImmediately: true })
            yield* Effect.sleep("20 millis")
            order.push("transaction")
            return fiber
          }),
        )
        yield* Fiber.join(appending)
        expect(order).toEqual(["transaction", "append"])
      }).pipe(Effect.provide(store))
    }).pipe(Effect.scoped),
  )

  it.live("with a number beyond 2^53 in it, is an error and not another number", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryDirectory, "store.db")
      const store = sqlLayer({ name: path, node: ownNode }).pipe(
        Layer.provideMerge(SqliteClient.layer({ filename: path })),
      )
      yield* Effect.gen(function* () {
        const store = yield* LogStore
        const sql = yield* SqlClient
        yield* sql.unsafe("UPDATE millrace_journal SET last_position = 9007199254740993").raw
        const error = yield* Effect.flip(store.end)
        expect(error).toMatchObject({ _tag: "StorageFailed", operation: "end" })
      }).pipe(Effect.provide(store))
    }).pipe(Effect.scoped),
  )
})
