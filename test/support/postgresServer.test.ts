/** The server that tests of PostgreSQL run on can be killed, comes back with what it had, and can be cut off. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { sharedServer, skipsPostgres } from "./postgresServer.ts"

describe.skipIf(skipsPostgres)("a PostgreSQL server of the tests", () => {
  const server = sharedServer()

  it.live("keeps what was committed when it is killed, and syncs it", () =>
    Effect.gen(function* () {
      const { kill, query, start } = server()
      expect(yield* query("SHOW fsync")).toEqual([["on"]])
      yield* query("CREATE TABLE kept AS SELECT 1 AS one")
      yield* kill
      yield* start
      expect(yield* query("SELECT one FROM kept")).toEqual([[1]])
    }),
  )

  it.live("cuts connections, and stops", () =>
    Effect.gen(function* () {
      const { query, start, stop, terminate } = server()
      const sleeping = yield* Effect.forkChild(Effect.exit(query("SELECT pg_sleep(60)")))
      while ((yield* terminate("query LIKE '%pg_sleep(60)%'")) === 0) yield* Effect.sleep(10)
      expect((yield* Fiber.join(sleeping))._tag).toBe("Failure")
      yield* stop
      yield* start
    }),
  )
})
