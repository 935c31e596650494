/** What becomes of writes and reads when a PostgreSQL server, or the way to it, fails: real servers, really failing. */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { makeHeaders } from "../../src/domain/Message.ts"
import { packItems } from "../../src/storage/parts/ItemBlock.ts"
import { layer, type PostgresOptions } from "../../src/storage/postgres/index.ts"
import { fromContext, type Stores } from "../../src/storage/Stores.ts"
import { draft, otherNode, ownNode, unlimited } from "../../src/testing/storage/fixtures.ts"
import { makeCuttingProxy } from "../support/cuttingProxy.ts"
import { makeServer, sharedServer, skipsPostgres } from "../support/postgresServer.ts"

const opened = (options: PostgresOptions) =>
  Effect.map(Layer.build(Layer.fresh(layer({ node: ownNode, ...options }))), (services): Stores =>
    fromContext(services),
  )

const until = <E>(what: Effect.Effect<boolean, E>): Effect.Effect<void, E> =>
  Effect.flatMap(what, (holds) => (holds ? Effect.void : Effect.andThen(Effect.sleep(10), until(what))))

/** Tries a write until the store is back. */
const eventually = <A, E>(write: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.retry(write, Schedule.spaced(20).pipe(Schedule.upTo({ duration: "20 seconds" })))

/** Locks all rows of a table, until it is told to let go. */
const lockRows = Effect.fnUntraced(function* (config: PgConnection.Config, table: string) {
  const connection = yield* PgConnection.make(config)
  yield* connection.query("BEGIN")
  yield* connection.query(`SELECT * FROM ${table} FOR UPDATE`)
  return { release: connection.query("ROLLBACK") }
})

const textsOf = ({ logs }: Stores) =>
  Effect.map(logs.readJournal(0, { topics: "#", origin: undefined }, unlimited), ({ messages }) =>
    messages.map(({ payload }) => Buffer.from(payload).toString()),
  )

const item = (text: string) => ({
  id: text,
  topic: "work",
  source: ownNode,
  target: undefined,
  createdAt: 1000,
  headers: makeHeaders(undefined),
  payload: Buffer.from(text),
  death: undefined,
})

describe.skipIf(skipsPostgres)("a store in PostgreSQL", () => {
  const server = sharedServer()

  /** Waits until a statement waits for a lock. */
  const waiting = (text: string) =>
    until(
      Effect.map(
        server().query(
          `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%${text}%' AND pid <> pg_backend_pid()`,
        ),
        (rows) => rows.length > 0,
      ),
    )

  it.live("does not notice that its idle connections were cut", () =>
    Effect.gen(function* () {
      const store = yield* opened({ url: server().url("idle") })
      yield* store.logs.append([[draft("t", "1")]])
      yield* server().terminate()
      expect(yield* textsOf(store)).toEqual(["1"])
      expect((yield* eventually(store.logs.append([[draft("t", "2")]]))).offsets).toEqual([2])
    }),
  )

  it.live("does not know what became of a publish whose connection was cut, and is back at once", () =>
    Effect.gen(function* () {
      const store = yield* opened({ url: server().url("cut") })
      yield* store.logs.append([[draft("t", "1")]])
      const locked = yield* lockRows(server().connection, "cut.millrace_journal")
      const publishing = yield* Effect.forkChild(Effect.flip(store.logs.append([[draft("t", "2")]])), {
        startImmediately: true,
      })
      yield* waiting('UPDATE "cut".millrace_journal')
      yield* server().terminate("query LIKE '%UPDATE \"cut\".millrace_journal%'")
      expect(yield* Fiber.join(publishing)).toMatchObject({ _tag: "OutcomeUnknown" })
      yield* locked.release
      yield* eventually(store.logs.append([[draft("t", "3")]]))
      expect(yield* textsOf(store)).toEqual(["1", "3"])
    }),
  )

  it.live("tries again what was cut before its commit was sent", () =>
    Effect.gen(function* () {
      const store = yield* opened({ url: server().url("again") })
      const enqueue = (text: string) =>
        store.queues.apply([{ type: "enqueue", queue: "work", blocks: packItems([item(text)]) }])
      yield* enqueue("1")
      const locked = yield* lockRows(server().connection, "again.millrace_queues")
      const enqueuing = yield* Effect.forkChild(enqueue("2"), { startImmediately: true })
      yield* waiting("millrace_queues")
      yield* server().terminate("query LIKE '%millrace_queues%' AND wait_event_type = 'Lock'")
      yield* locked.release
      expect(yield* Fiber.join(enqueuing)).toEqual([{ type: "enqueue", firstSequence: 2 }])
      expect((yield* store.queues.page("work", 0, unlimited)).lastSequence).toBe(2)
    }),
  )

  it.live("does not publish twice under a key, when the answer to a commit was lost", () =>
    Effect.gen(function* () {
      const proxy = yield* makeCuttingProxy(server().port)
      const url = Redacted.make(Redacted.value(server().url("doubt")).replace(`:${server().port}`, `:${proxy.port}`))
      const store = yield* opened({ url })
      yield* store.logs.append([[draft("t", "1")]])
      // What publishes reaches the server, and its answer does not come back.
      proxy.cutAnswerTo("millrace_blocks")
      const publish = store.logs.append([[draft("t", "2", { key: "k" })]])
      expect(yield* Effect.flip(publish)).toMatchObject({ _tag: "OutcomeUnknown" })
      const repeated = yield* eventually(publish)
      expect(repeated.offsets).toEqual([2])
      expect(repeated.repeats).toHaveLength(1)
      expect(yield* textsOf(store)).toEqual(["1", "2"])
      expect(proxy.cuts()).toBe(1)
    }),
  )
})

describe.skipIf(skipsPostgres)("a PostgreSQL server", () => {
  it.live("that is stopped refuses writes, and reads wait for it; all goes on when it is back", () =>
    Effect.gen(function* () {
      const server = yield* makeServer()
      const store = yield* opened({ url: server.url("stopped") })
      const other = yield* opened({ url: server.url("stopped"), node: otherNode })
      yield* store.logs.append([[draft("t", "1")]])
      yield* server.stop
      expect(yield* Effect.flip(store.logs.append([[draft("t", "2")]]))).toMatchObject({ _tag: "StorageFailed" })
      expect(yield* Effect.flip(store.logs.check)).toMatchObject({ _tag: "StorageFailed" })
      const reading = yield* Effect.forkChild(textsOf(store), { startImmediately: true })
      yield* server.start
      expect(yield* Fiber.join(reading)).toEqual(["1"])
      yield* eventually(store.logs.append([[draft("t", "3")]]))
      // What others write is heard again, too.
      const moved: Array<number> = []
      other.logs.onMoved!((end) => moved.push(end))
      yield* until(Effect.sync(() => moved.includes(2)))
      yield* eventually(store.logs.append([[draft("t", "4")]]))
      yield* until(Effect.sync(() => moved.includes(3)))
    }),
  )
})
