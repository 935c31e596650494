/**
 * Logs in a SQLite file: `layer` provides a `LogStore` that works in threads of its own, one that writes and one that
 * reads; `layerOnLoop` works on the calling thread.
 *
 * One process holds the file. A store remembers whose it is. An acknowledged write has been synced to the disk, unless
 * `durability: "os"` is asked for.
 */
import type * as Layer from "effect/Layer"
import type { StoreUnusable } from "../../domain/errors.ts"
import type { LogStore } from "../LogStore.ts"
import * as Worker from "../worker/index.ts"
import { backend } from "./preload.ts"
import * as SqliteLogStore from "./SqliteLogStore.ts"

export type { SqliteOptions } from "./SqliteLogStore.ts"
export { preload } from "./preload.ts"
export * as SqliteClient from "./SqliteClient.ts"

/** A store in threads of its own: neither commits nor replay hold up the event loop, nor each other. */
export const layer = (options: SqliteLogStore.SqliteOptions): Layer.Layer<LogStore, StoreUnusable> =>
  Worker.layer({ module: backend, options, readers: 1 })

/** A store on the calling thread: every call holds up the event loop, also while the disk syncs. */
export const layerOnLoop = (options: SqliteLogStore.SqliteOptions): Layer.Layer<LogStore, StoreUnusable> =>
  SqliteLogStore.layer(options)
