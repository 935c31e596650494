/**
 * What the conformance suite asks of a backend's test: a place where a store's data lives, and how to open it.
 */
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { StoreUnusable } from "../../domain/errors.ts"
import type { NodeId } from "../../domain/NodeId.ts"
import type { KeyWindow } from "../../storage/LogStore.ts"
import type { StoreServices } from "../../storage/Stores.ts"

export interface OpenOptions {
  readonly node?: NodeId | undefined
  readonly keyWindow?: KeyWindow | undefined
}

/** Where one store's data lives: a directory, a disk in memory, a database. */
export interface StorePlace {
  /** A store on this data. Opened again only after the one before it was closed, but for shared ones of several nodes. */
  readonly open: (options: OpenOptions) => Layer.Layer<StoreServices, StoreUnusable>
}

export interface StorageSuiteOptions {
  /** A new, empty place; removed when the scope closes. */
  readonly makePlace: Effect.Effect<StorePlace, never, Scope.Scope>
  /** Whether the data outlives a store that is closed, by default true. Where it does not, nothing is opened twice. */
  readonly keepsData?: boolean | undefined
  /** Whether the store itself sees to it that it is open once, by default true. Over an app's own client the app does. */
  readonly isHeld?: boolean | undefined
  /** Whether several nodes may have stores on the same data at the same time. */
  readonly isShared?: boolean | undefined
  /** Random programs to compare with the model, by default 50. */
  readonly programs?: number | undefined
}
