/**
 * Positions are in the order of commits, so that whoever follows the journal misses nothing; and the bug that everybody
 * makes who takes them from a sequence is found.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { LogStore } from "../../src/storage/LogStore.ts"
import { layerOver } from "../../src/storage/postgres/index.ts"
import { draft, ownNode, unlimited } from "../../src/testing/storage/fixtures.ts"
import { sharedServer, skipsPostgres } from "../support/postgresServer.ts"

const writers = ["a", "b", "c", "d"]
const messagesEach = 30

/** How statements are changed on their way to the server. */
type Rewrite = (sql: string) => string

const rewriting = (connection: Connection, rewrite: Rewrite): Connection =>
  Object.assign(Object.create(connection) as Connection, {
    executeValues: (sql: string, params: ReadonlyArray<unknown>) => connection.executeValues(rewrite(sql), params),
    executeRaw: (sql: string, params: ReadonlyArray<unknown>) => connection.executeRaw(rewrite(sql), params),
  })

/** A position is taken from a sequence, which waits for nobody, and then noted as the end. */
const fromSequence =
  (schema: string): Rewrite =>
  (sql) =>
    sql
      .replace(
        /SET last_position = last_position \+ (\$\d+)::bigint, (last_log = .*)\s+FROM fence WHERE/,
        `SET last_position = greatest(last_position, taken.number + 0 * $1::bigint), $2
         FROM fence, (SELECT nextval('${schema}.positions') AS number, pg_sleep(random() * 0.01)) AS taken WHERE`,
      )
      .replace(
        /RETURNING last_position - (\$\d+)::bigint AS before, last_position - (\$\d+)::bigint AS shift/,
        "RETURNING taken.number - $1::bigint AS before, taken.number - $2::bigint AS shift",
      )

describe.skipIf(skipsPostgres)("whoever follows the journal while several nodes write", () => {
  const server = sharedServer()

  /** Follows the journal while all write. Gives how many messages it has missed, and how many there are. */
  const missed = (schema: string, plant: Rewrite) =>
    Effect.gen(function* () {
      let isPlanted = false
      const rewrite: Rewrite = (sql) => (isPlanted ? plant(sql) : sql)
      const client = Layer.effect(
        SqlClient,
        Effect.map(SqlClient, (real) =>
          Object.assign(Object.create(real) as SqlClient, {
            reserve: Effect.map(real.reserve, (connection) => rewriting(connection, rewrite)),
          }),
        ),
      ).pipe(Layer.provide(Layer.orDie(PgClient.layer({ ...server().connection, maxConnections: 4 }))))
      const stores = yield* Effect.forEach(writers, (device) =>
        Effect.map(
          Layer.build(
            Layer.fresh(layerOver({ schema, node: { ...ownNode, device } }).pipe(Layer.provide(Layer.fresh(client)))),
          ),
          (services) => Context.get(services, LogStore),
        ),
      )
      for (const store of stores) yield* store.append([[draft("t", "first")]])
      yield* server().query(`CREATE SEQUENCE ${schema}.positions START ${writers.length + 1}`)
      isPlanted = true

      const total = writers.length * (messagesEach + 1)
      const seen = new Set<number>()
      const follow = Effect.gen(function* () {
        for (let after = 0; after < total;) {
          const page = yield* stores[0]!.readJournal(after, { topics: "#", origin: undefined }, unlimited)
          for (const { position } of page.messages) seen.add(position)
          after = page.scannedTo
        }
      })
      const following = yield* Effect.forkChild(follow, { startImmediately: true })
      yield* Effect.forEach(
        stores,
        (store) => Effect.forEach(Array.from({ length: messagesEach }), () => store.append([[draft("t", "more")]])),
        { concurrency: "unbounded", discard: true },
      )
      yield* Fiber.join(following)
      return { missed: total - seen.size, total }
    }).pipe(Effect.scoped)

  it.live("misses nothing", () =>
    Effect.map(
      missed("counted", (sql) => sql),
      (outcome) => expect(outcome).toEqual({ missed: 0, total: 124 }),
    ),
  )

  it.live("is found to miss messages where positions come from a sequence", () =>
    Effect.map(missed("sequenced", fromSequence("sequenced")), (outcome) => expect(outcome.missed).toBeGreaterThan(0)),
  )
})
