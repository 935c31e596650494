/**
 * Logs, queues, cursors and records in a SQLite file: `layer` provides their stores, which work in threads of their own, one that writes
 * and one that reads; `layerOnLoop` works on the calling thread, and `layerOver` over the client that an app has already.
 *
 * After an I/O error a store writes no more, and opens itself again (`storage/Reopening`).
 *
 * One process holds the file. A store remembers whose it is. An acknowledged write has been synced to the disk, unless
 * `durability: "os"` is asked for.
 */
import type * as Layer from "effect/Layer"
import type { StoreUnusable } from "../../domain/errors.ts"
import * as Reopening from "../Reopening.ts"
import type { StoreServices } from "../Stores.ts"
import * as Worker from "../worker/index.ts"
import { backend } from "./preload.ts"
import * as SqliteStores from "./SqliteStores.ts"

export type { SqliteOptions } from "./SqliteStores.ts"
export { layerOver, type SqlStoreOptions } from "./overClient.ts"
export { preload } from "./preload.ts"
export type { BackupOptions } from "./backup.ts"
export { backup, examine, layerMaintenance } from "./maintenance.ts"
export * as SqliteClient from "./SqliteClient.ts"

/** A store in threads of its own: neither commits nor replay hold up the event loop, nor each other. */
export const layer = (options: SqliteStores.SqliteOptions): Layer.Layer<StoreServices, StoreUnusable> =>
  Reopening.layer((again) => Worker.layer({ module: backend, options: { ...options, again }, readers: 1 }))

/** A store on the calling thread: every call holds up the event loop, also while the disk syncs. */
export const layerOnLoop = (options: SqliteStores.SqliteOptions): Layer.Layer<StoreServices, StoreUnusable> =>
  Reopening.layer((again) => SqliteStores.layer({ ...options, again }))
