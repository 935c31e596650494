/** The LMDB store on the calling thread keeps the contract of stores. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { layerOnLoop } from "../../src/storage/lmdb/index.ts"
import { storageSuite } from "../../src/testing/storageSuite.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

storageSuite("lmdb on the loop", {
  makePlace: Effect.map(temporaryDirectory, (directory) => ({
    open: (options) => layerOnLoop({ ...options, path: join(directory, "store") }),
  })),
})
