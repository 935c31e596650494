/** Who is a node in a PostgreSQL database, what the server has to be like, and what is told of how it is reached. */
import { inspect } from "node:util"
import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import type { StoreUnusable } from "../../src/domain/errors.ts"
import { makeHeaders } from "../../src/domain/Message.ts"
import type { NodeId } from "../../src/domain/NodeId.ts"
import { packItems } from "../../src/storage/parts/ItemBlock.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import { layer, layerOver, type PostgresOptions } from "../../src/storage/postgres/index.ts"
import { fromContext, type Stores } from "../../src/storage/Stores.ts"
import { draft, otherNode, ownNode, unlimited } from "../../src/testing/storage/fixtures.ts"
import { sharedServer, skipsPostgres } from "../support/postgresServer.ts"

const all = { topics: "#", origin: undefined }

/** Opens a store until the test's scope closes. */
const opened = (options: PostgresOptions) =>
  Effect.map(Layer.build(Layer.fresh(layer(options))), (services) => Context.get(services, LogStore))

const openedStores = (options: PostgresOptions): Effect.Effect<Stores, StoreUnusable, Scope.Scope> =>
  Effect.map(Layer.build(Layer.fresh(layer(options))), fromContext)

/** Waits until something holds. */
const until = (what: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.flatMap(what, (holds) => (holds ? Effect.void : Effect.andThen(Effect.sleep(10), until(what))))

describe.skipIf(skipsPostgres)("a node in PostgreSQL", () => {
  const server = sharedServer()

  /** A store that another process has replaced as the node, meanwhile unable to come back, and the store that has. */
  const replaced = (schema: string) =>
    Effect.gen(function* () {
      const { query, terminate, port } = server()
      const role = `worn_${schema}`
      yield* query(`CREATE ROLE ${role} SUPERUSER LOGIN PASSWORD 'worn'`)
      const url = Redacted.make(`postgres://${role}:worn@127.0.0.1:${port}/postgres?schema=${schema}`)
      const before = yield* openedStores({ url, node: ownNode })
      yield* before.logs.append([[draft("t", "1")]])
      // Its lock goes with its connection, and it cannot come back for it; its other connections stay.
      yield* query(`ALTER ROLE ${role} NOLOGIN`)
      yield* terminate(`usename = '${role}' AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')`)
      const after = yield* openedStores({ url: server().url(schema), node: ownNode })
      return { before, after, letBack: query(`ALTER ROLE ${role} LOGIN`) }
    })

  const items = packItems([
    {
      id: "1",
      topic: "work",
      source: ownNode,
      target: undefined,
      createdAt: 1000,
      death: undefined,
      headers: makeHeaders(undefined),
      payload: Buffer.from("1"),
    },
  ])
  const writes: Readonly<Record<string, (stores: Stores) => Effect.Effect<unknown, { readonly message: string }>>> = {
    publish: ({ logs }) => logs.append([[draft("t", "of the old one")]]),
    deletion: ({ logs }) =>
      logs.tombstone({ log: { topic: "t", origin: ownNode }, from: 1, to: 1, marker: { id: "m", createdAt: 1 } }),
    enqueue: ({ queues }) => queues.apply([{ type: "enqueue", queue: "work", blocks: items }]),
    "claim of a cursor": ({ cursors }) => cursors.claim({ name: "mail", filter: all, position: 0, at: 1000 }),
  }
  for (const [i, [what, write]] of Object.entries(writes).entries()) {
    it.live(`that was replaced is fenced at its next ${what}`, () =>
      Effect.gen(function* () {
        const { after, before } = yield* replaced(`fenced_${i}`)
        const refused = yield* Effect.flip(write(before))
        expect(refused).toMatchObject({ _tag: "StorageFailed" })
        expect(refused.message).toContain("another process has become the node")
        expect(yield* after.logs.end).toBe(1)
        expect(yield* after.queues.queues).toEqual([])
        expect(yield* after.cursors.cursors).toEqual([])
      }),
    )
  }

  it.live("that was replaced stays stopped", () =>
    Effect.gen(function* () {
      const { after, before: stores, letBack } = yield* replaced("stopped")
      const { logs: before } = stores
      yield* Effect.flip(before.append([[draft("t", "of the old one")]]))
      expect((yield* after.logs.append([[draft("t", "2")]])).offsets).toEqual([2])

      // Also when it could come back, the node is held.
      yield* letBack
      yield* until(
        Effect.match(before.append([[draft("t", "of the old one")]]), {
          onSuccess: () => false,
          onFailure: ({ message }) => message.includes("is not opened again"),
        }),
      )
      expect((yield* Effect.flip(before.check)).message).toContain("in use by another process as the node")
      const { messages } = yield* after.logs.readJournal(0, all, unlimited)
      expect(messages.map(({ payload }) => Buffer.from(payload).toString())).toEqual(["1", "2"])
    }),
  )

  it.live("takes its lock again when it lost the connection and nobody else came", () =>
    Effect.gen(function* () {
      const { query, terminate } = server()
      const store = yield* opened({ url: server().url("again"), node: ownNode })
      const locks = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
      const [[before] = []] = yield* query(locks)
      yield* terminate(`pid = ${String(before)}`)
      yield* until(Effect.map(query(locks), ([row]) => row !== undefined && row[0] !== before))
      expect((yield* store.append([[draft("t", "1")]])).offsets).toEqual([1])
      expect(yield* Effect.flip(opened({ url: server().url("again"), node: ownNode }))).toMatchObject({
        reason: "held",
      })
    }),
  )

  it.live("hears of others by looking, over a client that cannot listen", () =>
    Effect.gen(function* () {
      const real = yield* Effect.provide(PgClient.make({ ...server().connection, maxConnections: 8 }), Reactivity.layer)
      const client = Layer.succeed(SqlClient, { reserve: real.reserve } as SqlClient)
      const over = (node: NodeId) =>
        Effect.map(
          Layer.build(
            Layer.fresh(layerOver({ schema: "deaf", node, pollInterval: "20 millis" }).pipe(Layer.provide(client))),
          ),
          (services) => Context.get(services, LogStore),
        )
      const one = yield* over(ownNode)
      const two = yield* over(otherNode)
      expect(yield* Effect.flip(over(otherNode))).toMatchObject({ reason: "held" })
      let end = 0
      one.onMoved!((moved) => (end = moved))
      yield* two.append([[draft("t", "1")]])
      yield* until(Effect.sync(() => end === 1))
      // Its lock goes with a connection of the client, too, and is taken again on another one.
      yield* server().terminate("pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')")
      yield* two.append([[draft("t", "2")]]).pipe(Effect.retry({ times: 5 }))
      yield* until(Effect.sync(() => end === 2))
      expect(yield* Effect.flip(over(otherNode))).toMatchObject({ reason: "held" })
    }),
  )

  it.live("is the only one where none is named, and has to be named where there are several", () =>
    Effect.gen(function* () {
      const url = server().url("names")
      yield* Effect.scoped(opened({ url, node: otherNode }))
      expect((yield* Effect.scoped(opened({ url }))).info.node).toEqual(otherNode)
      yield* Effect.scoped(opened({ url, node: ownNode }))
      const refused = yield* Effect.flip(opened({ url }))
      expect(refused).toMatchObject({ _tag: "StoreUnusable", reason: "other identity" })
      expect(refused.message).toContain("has to be said which one this is")
    }),
  )

  it.live("makes the tables once, however many nodes start for the first time at once", () =>
    Effect.gen(function* () {
      const url = server().url("first")
      const nodes = ["a", "b", "c", "d", "e", "f"].map((device) => ({ ...ownNode, device }))
      const stores = yield* Effect.forEach(nodes, (node) => opened({ url, node, connectionsMax: 2 }), {
        concurrency: "unbounded",
      })
      expect(new Set(stores.map(({ info }) => info.incarnation)).size).toBe(1)
      yield* Effect.forEach(stores, (store) => store.append([[draft("t", "1")]]), { concurrency: "unbounded" })
      expect(yield* stores[0]!.end).toBe(nodes.length)
    }),
  )

  it.live("needs no superuser, only a role that may make tables", () =>
    Effect.gen(function* () {
      const { port, query } = server()
      yield* query("CREATE ROLE plain LOGIN PASSWORD 'plain'")
      yield* query("CREATE SCHEMA plain AUTHORIZATION plain")
      const url = Redacted.make(`postgres://plain:plain@127.0.0.1:${port}/postgres?schema=plain`)
      const store = yield* opened({ url, node: ownNode })
      const other = yield* opened({ url, node: otherNode })
      yield* store.append([[draft("t", "1", { key: "k" })]])
      yield* other.tombstone({ log: { topic: "t", origin: ownNode }, from: 1, to: 1, marker: undefined })
      yield* store.check
      expect((yield* store.readJournal(0, all, unlimited)).messages.map(({ deleted }) => deleted)).toEqual([true])
    }),
  )

  it.live("counts on what it was told until another node changes its logs", () =>
    Effect.gen(function* () {
      const url = server().url("foreign")
      const one = yield* opened({ url, node: ownNode })
      const two = yield* opened({ url, node: otherNode })
      yield* one.append([[draft("t", "1")]])
      // The other node got it back from somewhere: the same message, and one that was never known here.
      const log = { topic: "t", origin: ownNode }
      const [first] = yield* two.readLog(log, 1, unlimited)
      yield* two.accept(log, [first!, { ...first!, offset: 2, id: "restored" }])
      expect((yield* one.append([[draft("t", "3")]])).offsets).toEqual([3])
      yield* two.tombstone({ log: { topic: "new", origin: ownNode }, from: 1, to: 1, marker: undefined })
      expect((yield* one.append([[draft("t", "4"), draft("new", "5")]])).offsets).toEqual([4, 1])
      expect((yield* two.readJournal(0, all, unlimited)).messages.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 1])
    }),
  )
})

describe.skipIf(skipsPostgres)("a PostgreSQL server", () => {
  const server = sharedServer()
  let schemas = 0
  const open = (options: Partial<PostgresOptions> = {}) =>
    Effect.scoped(opened({ url: server().url(`settings_${++schemas}`), ...options }))

  /** Opens a store while the server has a setting. */
  const having = <A, E>(setting: string, value: string, use: Effect.Effect<A, E>): Effect.Effect<A, E> => {
    const { query } = server()
    const reload = (statement: string) =>
      Effect.gen(function* () {
        yield* query(statement)
        yield* query("SELECT pg_reload_conf()")
      })
    const isSet = (wanted: boolean) =>
      until(Effect.map(query(`SHOW ${setting}`), (rows) => (rows[0]![0] === value) === wanted))
    return Effect.acquireUseRelease(
      Effect.andThen(reload(`ALTER SYSTEM SET ${setting} = '${value}'`), isSet(true)),
      () => use,
      () => Effect.andThen(reload(`ALTER SYSTEM RESET ${setting}`), isSet(false)),
    )
  }

  for (const setting of ["fsync", "full_page_writes"]) {
    it.live(`whose ${setting} is off is refused, unless less is asked for`, () =>
      having(
        setting,
        "off",
        Effect.gen(function* () {
          const refused = yield* Effect.flip(open())
          expect(refused).toMatchObject({ _tag: "StoreUnusable", reason: "not durable enough" })
          expect((yield* open({ durability: "os" })).info.durability).toBe("os")
        }),
      ),
    )
  }

  it.live("that does not wait for its commits is told to, for the store's own connections", () =>
    having(
      "synchronous_commit",
      "off",
      Effect.gen(function* () {
        expect((yield* open()).info.durability).toBe("fsync")
        expect((yield* open({ durability: "os" })).info.durability).toBe("os")
        const client = Layer.orDie(PgClient.layer(server().connection))
        const over = layerOver({ schema: "over" }).pipe(Layer.provide(client))
        const refused = yield* Effect.flip(Effect.scoped(Layer.build(over)))
        expect(refused).toMatchObject({ _tag: "StoreUnusable", reason: "not durable enough" })
      }),
    ),
  )

  it.live("whose transactions see an old state by default keeps the order, over an app's client also", () =>
    having(
      "default_transaction_isolation",
      "serializable",
      Effect.gen(function* () {
        const client = Layer.orDie(PgClient.layer({ ...server().connection, maxConnections: 4 }))
        const stores = yield* Effect.forEach(["a", "b", "c"], (device) =>
          Effect.map(
            Layer.build(
              Layer.fresh(
                layerOver({ schema: "serializable", node: { ...ownNode, device } }).pipe(
                  Layer.provide(Layer.fresh(client)),
                ),
              ),
            ),
            (services) => Context.get(services, LogStore),
          ),
        )
        yield* Effect.forEach(
          stores,
          (store) => Effect.forEach(Array.from({ length: 10 }), () => store.append([[draft("t", "1")]])),
          { concurrency: "unbounded" },
        )
        const { messages } = yield* stores[0]!.readJournal(0, all, unlimited)
        expect(messages.map(({ position }) => position)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
      }).pipe(Effect.scoped),
    ),
  )

  it.live("that is read only is refused", () =>
    having(
      "default_transaction_read_only",
      "on",
      Effect.map(Effect.flip(open()), (refused) => expect(refused).toMatchObject({ reason: "not writable" })),
    ),
  )
})

describe.skipIf(skipsPostgres)("the URL of a database", () => {
  const server = sharedServer()
  const secret = "h4rd-to-guess"

  /** All that can be seen of a failed start. */
  const seen = (url: string) =>
    Effect.map(Effect.exit(Effect.scoped(opened({ url: Redacted.make(url) }))), (exit) => {
      if (Exit.isSuccess(exit)) throw new Error("it can be opened")
      return `${Cause.pretty(exit.cause)} ${inspect(exit, { depth: 9 })} ${JSON.stringify(exit)}`
    })

  it.live("appears in no error, whatever is wrong with it", () =>
    Effect.gen(function* () {
      const { port } = server()
      for (const url of [
        `postgres://postgres:${secret}@127.0.0.1:${port}/postgres`,
        `postgres://postgres:${secret}@127.0.0.1:1/postgres`,
        `postgres://postgres:${secret}@127.0.0.1:${port}/no_such_database`,
        `postgres://postgres:${secret}@127.0.0.1:99999/postgres`,
        `postgres://postgres:${secret}@/postgres?host=/no/such/directory`,
        `postgres//postgres:${secret}@127.0.0.1/postgres`,
        `mysql://postgres:${secret}@127.0.0.1/postgres`,
      ]) {
        const text = yield* seen(url)
        expect(text).toContain("StoreUnusable")
        expect(text).not.toContain(secret)
      }
    }),
  )

  it.live("names what cannot be reached", () =>
    Effect.gen(function* () {
      expect(yield* seen(`postgres://postgres:${secret}@127.0.0.1:1/bus?schema=s`)).toContain(
        "postgres://127.0.0.1:1/bus?schema=s cannot be reached: connect ECONNREFUSED",
      )
    }),
  )
})
