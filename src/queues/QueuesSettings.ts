/**
 * What can be tuned of the queues of a node. Sizes in bytes, times in milliseconds.
 */
import * as Context from "effect/Context"

export interface QueuesSettings {
  /** The largest item: payload, topic and headers together. By default 3.5 MiB, so that every msgbus.v1 client can take it. */
  readonly itemBytesMax: number
  /** How much one commit takes at most: operations, and bytes of items. */
  readonly commitOperationsMax: number
  readonly commitBytesMax: number
  /** Commits under way at the same time, at most: while one is written, the next one is prepared. */
  readonly commitsInFlightMax: number
  /** How often a taker looks at an empty queue that nobody here has added to: others may write to the same store. */
  readonly pollMillis: number
}

export const defaultQueuesSettings: QueuesSettings = {
  itemBytesMax: 3.5 * 1024 * 1024,
  commitOperationsMax: 4096,
  commitBytesMax: 8 * 1024 * 1024,
  commitsInFlightMax: 2,
  pollMillis: 1000,
}

/** Provide it to the queues' layer to change the defaults. */
export const QueuesSettings: Context.Reference<QueuesSettings> = Context.Reference<QueuesSettings>(
  "millrace/queues/QueuesSettings",
  { defaultValue: () => defaultQueuesSettings },
)
