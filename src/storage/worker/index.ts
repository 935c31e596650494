/**
 * Any storage backend off the event loop: `layer` provides a `LogStore` whose work is done in threads.
 *
 *     layer({ module: new URL("./my-backend.js", import.meta.url), options: { path: "bus.db" } })
 */
import * as Layer from "effect/Layer"
import type { StoreUnusable } from "../../domain/errors.ts"
import { LogStore } from "../LogStore.ts"
import { make, type WorkerOptions } from "./WorkerLogStore.ts"

export { preload } from "./spawn.ts"
export type { WorkerOptions } from "./WorkerLogStore.ts"

/** A store in threads of its own. They end with the layer's scope, after the calls under way. */
export const layer = (options: WorkerOptions): Layer.Layer<LogStore, StoreUnusable> =>
  Layer.effect(LogStore, make(options))
