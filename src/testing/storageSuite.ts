/**
 * The conformance suite of storage backends: every promise of `storage/LogStore`, `storage/QueueStore`,
 * `storage/CursorStore` and `storage/RecordStore` as a test, and of `storage/Holders` where several nodes share a store.
 *
 *     storageSuite("memory", {
 *       makePlace: Effect.sync(() => {
 *         const disk = makeDisk()
 *         return { open: (options) => layer({ ...options, disk }) }
 *       }),
 *     })
 *
 * It needs vitest and @effect/vitest.
 */
import { describe } from "@effect/vitest"
import { acceptTests } from "./storage/accept.ts"
import { appendTests } from "./storage/append.ts"
import { blockTests } from "./storage/blocks.ts"
import { cursorTests } from "./storage/cursors.ts"
import { discardTests } from "./storage/discards.ts"
import { identityTests } from "./storage/identity.ts"
import { keyTests } from "./storage/keys.ts"
import { programTests } from "./storage/programs.ts"
import { queueTests } from "./storage/queues.ts"
import { readTests } from "./storage/reads.ts"
import { recordTests } from "./storage/records.ts"
import { sharedTests } from "./storage/shared.ts"
import type { StorageSuiteOptions } from "./storage/StorePlace.ts"
import { tombstoneTests } from "./storage/tombstones.ts"

export type { StorageSuiteOptions, OpenOptions, StorePlace } from "./storage/StorePlace.ts"

/** Registers the suite's tests under a name. */
export const storageSuite = (name: string, options: StorageSuiteOptions): void => {
  describe(`${name} as a LogStore`, () => {
    appendTests(options)
    keyTests(options)
    acceptTests(options)
    blockTests(options)
    tombstoneTests(options)
    discardTests(options)
    readTests(options)
    identityTests(options)
    programTests(options)
  })
  describe(`${name} as a QueueStore`, () => queueTests(options))
  describe(`${name} as a CursorStore`, () => cursorTests(options))
  describe(`${name} as a RecordStore`, () => recordTests(options))
  if (options.isShared === true) describe(`${name} as a store of several nodes`, () => sharedTests(options))
}
