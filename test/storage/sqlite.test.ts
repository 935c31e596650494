/** The SQLite store on the calling thread keeps the contract of stores. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { layerOnLoop } from "../../src/storage/sqlite/index.ts"
import { storageSuite } from "../../src/testing/storageSuite.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

storageSuite("sqlite on the loop", {
  makePlace: Effect.map(temporaryDirectory, (directory) => ({
    open: (options) => layerOnLoop({ ...options, path: join(directory, "store.db") }),
  })),
})
