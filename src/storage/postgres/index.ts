/**
 * Logs, queues, cursors and records in PostgreSQL: `layer` provides their stores over connections of its own, `layerOver` over the
 * client that an app has already. Several nodes may use one database, or one schema of it, at the same time: all see
 * all logs, queues and cursors, and each appends to its own logs.
 *
 * A node's identity is held by one process. Whoever becomes the node after it keeps it from writing. After a commit whose
 * answer was lost, or when the server was started again, a store opens itself again (`storage/Reopening`).
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import type { StoreUnusable } from "../../domain/errors.ts"
import * as Reopening from "../Reopening.ts"
import { type Stores, type StoreServices, toContext } from "../Stores.ts"
import { overClient, overConnection } from "./Line.ts"
import { open, type OpenedAs } from "./open.ts"
import type { PostgresOptions, SharedOptions } from "./PostgresOptions.ts"
import { connect, serverOf } from "./server.ts"

export { examine, layerMaintenance, type PostgresPlace, sizing } from "./maintenance.ts"
export type { PostgresOptions, SharedOptions } from "./PostgresOptions.ts"

/** A server that was restarted is tried so often. */
const reopening: Reopening.ReopeningOptions = {
  delayMillisMax: 1000,
  // Another process is the node now.
  isFinal: ({ reason }) => reason === "held" || reason === "other identity",
}

type Open = (
  before: OpenedAs | undefined,
) => Effect.Effect<Stores & { readonly openedAs: OpenedAs }, StoreUnusable, Scope.Scope>

const reopened = (openAs: Open): Layer.Layer<StoreServices, StoreUnusable> =>
  Layer.suspend(() => {
    let before: OpenedAs | undefined
    return Reopening.layer(
      () =>
        Layer.effectContext(
          Effect.map(openAs(before), ({ openedAs, ...stores }) => {
            before = openedAs
            return toContext(stores)
          }),
        ),
      reopening,
    )
  })

/** Stores in the database that a URL names. */
export const layer = (options: PostgresOptions): Layer.Layer<StoreServices, StoreUnusable> =>
  reopened((before) =>
    Effect.gen(function* () {
      const server = yield* serverOf(options)
      const { client, connection } = yield* connect(server, options)
      const { name, schema } = server
      return yield* open(client, overConnection(connection), { ...options, name, schema, before })
    }),
  )

/**
 * Stores in the database of a client that is there already. It needs connections of its own for a write, a read and the
 * node's lock at the same time: three at least. Where it is not a `PgClient` nothing is heard of other nodes but by
 * looking.
 */
export const layerOver = (options: SharedOptions = {}): Layer.Layer<StoreServices, StoreUnusable, SqlClient> =>
  Layer.unwrap(
    Effect.map(SqlClient, (client) => {
      const openLine = isPgClient(client) ? overConnection(client.config) : overClient(client)
      const name = `the PostgreSQL database of the client${options.schema === undefined ? "" : `, schema ${options.schema}`}`
      return reopened((before) => open(client, openLine, { ...options, name, before }))
    }),
  )

const isPgClient = (client: SqlClient): client is PgClient.PgClient => PgClient.TypeId in client
