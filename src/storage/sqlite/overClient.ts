/**
 * Stores in the SQLite database of a client that an app has already. The app sees to what `layer` sees to else: that one
 * process has the file, that commits are synced, that calls do not hold up the event loop where that matters. The tables'
 * names begin with `millrace_`.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import type { StoreUnusable } from "../../domain/errors.ts"
import { sqliteDialect } from "../sql/dialects/SqliteDialect.ts"
import { make, type SqlStoreOptions } from "../sql/SqlStores.ts"
import { type StoreServices, toContext } from "../Stores.ts"

export type { SqlStoreOptions } from "../sql/SqlStores.ts"

/** Stores in the client's database. Refused as `StoreUnusable` where it is another node's, too new or not durable enough. */
export const layerOver = (options: SqlStoreOptions): Layer.Layer<StoreServices, StoreUnusable, SqlClient> =>
  Layer.effectContext(
    Effect.map(
      Effect.flatMap(SqlClient, (client) => make(client, sqliteDialect, options)),
      toContext,
    ),
  )
