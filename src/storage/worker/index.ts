/**
 * Any storage backend off the event loop: `layer` provides its stores, whose work is done in threads.
 *
 *     layer({ module: new URL("./my-backend.js", import.meta.url), options: { path: "bus.db" } })
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StoreUnusable } from "../../domain/errors.ts"
import { type StoreServices, toContext } from "../Stores.ts"
import { make, type WorkerOptions } from "./WorkerStores.ts"

export { preload } from "./spawn.ts"
export type { WorkerOptions } from "./WorkerStores.ts"

/** Stores in threads of their own. They end with the layer's scope, after the calls under way. */
export const layer = (options: WorkerOptions): Layer.Layer<StoreServices, StoreUnusable> =>
  Layer.effectContext(Effect.map(make(options), toContext))
