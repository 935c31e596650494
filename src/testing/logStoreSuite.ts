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
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { StoreUnusable } from "../domain/errors.ts"
import type { NodeId } from "../domain/NodeId.ts"
import type { KeyWindow, LogStore } from "../storage/LogStore.ts"
import { acceptTests } from "./storage/accept.ts"
import { appendTests } from "./storage/append.ts"
import { identityTests } from "./storage/identity.ts"
import { keyTests } from "./storage/keys.ts"
import { programTests } from "./storage/programs.ts"
import { readTests } from "./storage/reads.ts"
import { tombstoneTests } from "./storage/tombstones.ts"

export interface OpenOptions {
  readonly node?: NodeId | undefined
  readonly keyWindow?: KeyWindow | undefined
}

/** Where one store's data lives: a directory, a disk in memory, a database. */
export interface StorePlace {
  /** A store on this data. Opened again only after the one before it was closed. */
  readonly open: (options: OpenOptions) => Layer.Layer<LogStore, StoreUnusable>
}

export interface LogStoreSuiteOptions {
  /** A new, empty place; removed when the scope closes. */
  readonly makePlace: Effect.Effect<StorePlace, never, Scope.Scope>
  /** Whether the data outlives a store that is closed, by default true. Where it does not, nothing is opened twice. */
  readonly keepsData?: boolean | undefined
  /** Random programs to compare with the model, by default 50. */
  readonly programs?: number | undefined
}

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
