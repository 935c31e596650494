/** Whether a node on PostgreSQL says that it is not ready, and why: its database is away, or another process is the node now. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, References } from "effect"
import type { NodeId } from "../../src/domain/NodeId.ts"
import * as Readiness from "../../src/readiness/index.ts"
import * as Postgres from "../../src/storage/postgres/index.ts"
import { ownNode } from "../../src/testing/storage/fixtures.ts"
import { sharedServer, skipsPostgres } from "../support/postgresServer.ts"

/** The readiness of a node, for the life of the scope. */
const opened = (url: Redacted.Redacted, node: NodeId) =>
  Effect.map(
    Layer.build(Layer.fresh(Layer.provide(Readiness.layer, Readiness.watched(Postgres.layer({ url, node }))))),
    (services) => Context.get(services, Readiness.Readiness),
  )

/** Waits until a node is ready, or is not; gives what it says. */
const until = (readiness: Readiness.Readiness["Service"], ready: boolean): Effect.Effect<string> =>
  Effect.flatMap(readiness.current, (state) =>
    state.ready === ready ? Effect.succeed(state.error) : Effect.andThen(Effect.sleep(10), until(readiness, ready)),
  )

describe.skipIf(skipsPostgres)("a node on PostgreSQL", () => {
  const server = sharedServer()

  it.live("is not ready while the server is away, and ready again when it is back", () =>
    Effect.gen(function* () {
      const { start, stop, url } = server()
      const readiness = yield* opened(url("away"), ownNode)
      yield* until(readiness, true)
      yield* stop
      expect(yield* until(readiness, false)).not.toBe("")
      yield* start
      yield* until(readiness, true)
    }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None")),
  )

  it.live("is not ready any more when another process has become it, which is", () =>
    Effect.gen(function* () {
      const { port, query, terminate, url } = server()
      yield* query("CREATE ROLE replaced SUPERUSER LOGIN PASSWORD 'replaced'")
      const before = yield* opened(
        Redacted.make(`postgres://replaced:replaced@127.0.0.1:${port}/postgres?schema=replaced`),
        ownNode,
      )
      yield* until(before, true)
      // Its lock goes with its connection, and it cannot come back for it.
      yield* query("ALTER ROLE replaced NOLOGIN")
      yield* terminate("usename = 'replaced' AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')")
      const after = yield* opened(url("replaced"), ownNode)
      yield* until(after, true)
      yield* query("ALTER ROLE replaced LOGIN")
      expect(yield* until(before, false)).toContain("acme/press/one")
      yield* until(after, true)
    }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None")),
  )
})
