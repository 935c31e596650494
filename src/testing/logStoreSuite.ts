/**
 * The conformance suite of stores of logs: every promise of `storage/LogStore` as a test, for any backend.
 *
 *     logStoreSuite("memory", {
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
import { identityTests } from "./storage/identity.ts"
import { keyTests } from "./storage/keys.ts"
import { programTests } from "./storage/programs.ts"
import { readTests } from "./storage/reads.ts"
import type { LogStoreSuiteOptions } from "./storage/StorePlace.ts"
import { tombstoneTests } from "./storage/tombstones.ts"

export type { LogStoreSuiteOptions, OpenOptions, StorePlace } from "./storage/StorePlace.ts"

/** Registers the suite's tests under a name. */
export const logStoreSuite = (name: string, options: LogStoreSuiteOptions): void => {
  describe(`${name} as a LogStore`, () => {
    appendTests(options)
    keyTests(options)
    acceptTests(options)
    tombstoneTests(options)
    readTests(options)
    identityTests(options)
    programTests(options)
  })
}
