/** The LMDB store in threads of its own keeps the contract of stores. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { vi } from "vitest"
import { layer } from "../../src/storage/lmdb/index.ts"
import { storageSuite } from "../../src/testing/storageSuite.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

// Every test starts threads, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000 })

storageSuite("lmdb in a worker", {
  programs: 4,
  makePlace: Effect.map(temporaryDirectory, (directory) => ({
    open: (options) => layer({ ...options, path: join(directory, "store") }),
  })),
})
