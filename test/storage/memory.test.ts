/** The store in memory keeps the contract of stores. */
import * as Effect from "effect/Effect"
import { layer, makeDisk } from "../../src/storage/memory/index.ts"
import { storageSuite } from "../../src/testing/storageSuite.ts"

storageSuite("memory", {
  programs: 300,
  makePlace: Effect.sync(() => {
    const disk = makeDisk()
    return { open: (options) => layer({ ...options, disk }) }
  }),
})

storageSuite("shared memory", {
  programs: 100,
  isShared: true,
  makePlace: Effect.sync(() => {
    const disk = makeDisk({ shared: true })
    return { open: (options) => layer({ ...options, disk }) }
  }),
})
