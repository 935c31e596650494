/**
 * What can be tuned of a node's readiness. Times in milliseconds.
 */
import * as Context from "effect/Context"

export interface ReadinessSettings {
  /** A commit, an answer of the store or a turn of the event loop that takes longer makes the node not ready. */
  readonly stallMillis: number
}

export const defaultReadinessSettings: ReadinessSettings = { stallMillis: 5000 }

/** Provide it to the readiness layer to change the defaults. */
export const ReadinessSettings: Context.Reference<ReadinessSettings> = Context.Reference<ReadinessSettings>(
  "millrace/readiness/ReadinessSettings",
  { defaultValue: () => defaultReadinessSettings },
)
