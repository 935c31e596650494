/**
 * Getting an LMDB store's thread ready while the program itself still loads. This file loads nothing of Effect: import
 * it first, by itself, and the rest of the program after the call.
 */
import { preload as preloadThread } from "../worker/spawn.ts"

/** The module that storage threads load. */
export const backend = new URL(import.meta.url.endsWith(".ts") ? "./LmdbStores.ts" : "./LmdbStores.js", import.meta.url)

/** Starts the thread that the next `layer` of `storage/lmdb` will use. It does not keep the process alive. */
export const preload = (): void => preloadThread(backend)
