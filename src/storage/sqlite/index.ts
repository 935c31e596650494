/**
 * Logs in a SQLite file.
 */
import type * as Layer from "effect/Layer"
import type { StoreUnusable } from "../../domain/errors.ts"
import type { LogStore } from "../LogStore.ts"
import * as SqliteLogStore from "./SqliteLogStore.ts"

export type { SqliteOptions } from "./SqliteLogStore.ts"

/** A store on the calling thread: every call holds up the event loop, also while the disk syncs. */
export const layerOnLoop = (options: SqliteLogStore.SqliteOptions): Layer.Layer<LogStore, StoreUnusable> =>
  SqliteLogStore.layer(options)
