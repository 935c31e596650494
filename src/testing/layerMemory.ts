/**
 * Topics in memory, for tests: nothing to set up, nothing left behind.
 */
import * as Layer from "effect/Layer"
import type { StorageFailed, StoreUnusable } from "../domain/errors.ts"
import type { LogStore } from "../storage/LogStore.ts"
import * as Memory from "../storage/memory/index.ts"
import { layer as topicsLayer, type Topics } from "../topics/index.ts"

/**
 * `Topics`, and the `LogStore` that they are in, new each time the layer is built. Give it a `disk` to find the same
 * messages again when it is built another time.
 */
export const layerMemory = (
  options?: Memory.MemoryOptions,
): Layer.Layer<Topics | LogStore, StoreUnusable | StorageFailed> =>
  topicsLayer.pipe(Layer.provideMerge(Memory.layer(options)))
