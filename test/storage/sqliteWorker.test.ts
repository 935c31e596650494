/** The SQLite store in threads of its own keeps the contract of stores. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { layer } from "../../src/storage/sqlite/index.ts"
import { logStoreSuite } from "../../src/testing/logStoreSuite.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

logStoreSuite("sqlite in a worker", {
  programs: 10,
  makePlace: Effect.map(temporaryDirectory, (directory) => ({
    open: (options) => layer({ ...options, path: join(directory, "store.db") }),
  })),
})
