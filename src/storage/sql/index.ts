/**
 * Logs, queues and cursors in an SQL database: `layer` provides their stores over whatever `SqlClient` it is given.
 *
 * So far the database is SQLite. `millrace/sqlite` brings a client of its own, a lock on the file and a worker thread;
 * use this layer where the app has an `SqlClient` already. The tables' names begin with `millrace_`.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import type { StoreUnusable } from "../../domain/errors.ts"
import { type StoreServices, toContext } from "../Stores.ts"
import { sqliteDialect } from "./dialects/SqliteDialect.ts"
import { make, type SqlStoreOptions } from "./SqlStores.ts"

export type { SqlStoreOptions } from "./SqlStores.ts"

/** Stores in the client's database. Refused as `StoreUnusable` where it is another node's, too new or not durable enough. */
export const layer = (options: SqlStoreOptions): Layer.Layer<StoreServices, StoreUnusable, SqlClient> =>
  Layer.effectContext(
    Effect.map(
      Effect.flatMap(SqlClient, (client) => make(client, sqliteDialect, options)),
      toContext,
    ),
  )
