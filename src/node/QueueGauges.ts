/**
 * How many items wait in each queue, and for how long, as metrics: a series for each of the fullest queues, and one for
 * all others together, so that no number of queues makes a number of series.
 */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { QueueState } from "../storage/QueueStore.ts"

/** Queues that have a series of their own. */
const queuesMax = 50

/** Stands for the queues beyond those. */
const others = "(others)"

const depth = Metric.gauge("millrace_queue_depth", { description: "Items in a queue" })
const age = Metric.gauge("millrace_queue_oldest_item_age_seconds", {
  description: "How long ago the oldest item of a queue came; 0 where it is empty",
})
const count = Metric.gauge("millrace_queues", { description: "Queues that anything was ever enqueued to" })

interface Shown {
  readonly depth: number
  /** Milliseconds since 1970; infinite where there is none. */
  readonly oldestAt: number
}

/** The fullest queues first. */
export const fullestFirst = (states: ReadonlyArray<QueueState>): ReadonlyArray<QueueState> =>
  states.toSorted((a, b) => b.depth - a.depth)

const rowsOf = (states: ReadonlyArray<QueueState>): Map<string, Shown> => {
  const rows = new Map<string, Shown>()
  for (const [i, { depth, oldestAt = Infinity, queue }] of fullestFirst(states).entries()) {
    const name = i < queuesMax ? queue : others
    const row = rows.get(name) ?? { depth: 0, oldestAt: Infinity }
    rows.set(name, { depth: row.depth + depth, oldestAt: Math.min(row.oldestAt, oldestAt) })
  }
  return rows
}

export class QueueGauges {
  #shown = new Set<string>()

  /** Shows how the queues stand; those that were shown and are not among them any more disappear. */
  show(states: ReadonlyArray<QueueState>, nowMillis: number, services: Context.Context<never>): void {
    const rows = rowsOf(states)
    for (const queue of this.#shown) {
      if (rows.has(queue)) continue
      Metric.removeUnsafe(Metric.withAttributes(depth, { queue }), services)
      Metric.removeUnsafe(Metric.withAttributes(age, { queue }), services)
    }
    for (const [queue, row] of rows) {
      const ageSeconds = Math.max(0, nowMillis - row.oldestAt) / 1000
      Metric.withAttributes(depth, { queue }).updateUnsafe(row.depth, services)
      Metric.withAttributes(age, { queue }).updateUnsafe(ageSeconds, services)
    }
    count.updateUnsafe(states.length, services)
    this.#shown = new Set(rows.keys())
  }
}
