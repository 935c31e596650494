/**
 * Logs in an SQL database: `layer` provides a `LogStore` over whatever `SqlClient` it is given.
 *
 * So far the database is SQLite. `millrace/sqlite` brings a client of its own, a lock on the file and a worker thread;
 * use this layer where the app has an `SqlClient` already. The tables' names begin with `millrace_`.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import type { StoreUnusable } from "../../domain/errors.ts"
import { LogStore } from "../LogStore.ts"
import { sqliteDialect } from "./SqliteDialect.ts"
import { make, type SqlLogStoreOptions } from "./SqlLogStore.ts"

export type { SqlLogStoreOptions } from "./SqlLogStore.ts"

/** A store in the client's database. Refused as `StoreUnusable` where it is another node's, too new or not durable enough. */
export const layer = (options: SqlLogStoreOptions): Layer.Layer<LogStore, StoreUnusable, SqlClient> =>
  Layer.effect(
    LogStore,
    Effect.flatMap(SqlClient, (client) => make(client, sqliteDialect, options)),
  )
