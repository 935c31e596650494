/**
 * What waits to be done, as far as it has to be looked up: queues with their items, named cursors with what they are
 * behind; and the metrics of both.
 */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { QueueState } from "../storage/QueueStore.ts"
import type { CursorState } from "../topics/index.ts"
import { TopSeries } from "./TopSeries.ts"

const queueCount = Metric.gauge("millrace_queues", { description: "Queues that anything was ever enqueued to" })
const queueSeries = () =>
  new TopSeries("queue", [
    { gauge: Metric.gauge("millrace_queue_depth", { description: "Items in a queue" }), together: "sum" },
    {
      gauge: Metric.gauge("millrace_queue_oldest_item_age_seconds", {
        description: "How long ago the oldest item of a queue came; 0 where it is empty",
      }),
      together: "max",
    },
  ])

const cursorCount = Metric.gauge("millrace_cursors", { description: "Named cursors" })
const heldCount = Metric.gauge("millrace_cursors_held", { description: "Named cursors that somebody consumes with" })
const cursorSeries = () =>
  new TopSeries("cursor", [
    {
      gauge: Metric.gauge("millrace_cursor_lag_messages", {
        description: "Messages of the journal that a named cursor is behind, whether somebody holds it or not",
      }),
      together: "max",
    },
  ])

/** Queues and cursors as they were found last, the worst ones first. */
export class Backlog {
  #queues: ReadonlyArray<QueueState> = []
  #cursors: ReadonlyArray<CursorState> = []
  readonly #queueSeries = queueSeries()
  readonly #cursorSeries = cursorSeries()

  /** The fullest first. */
  get queues(): ReadonlyArray<QueueState> {
    return this.#queues
  }

  /** The farthest behind first. */
  get cursors(): ReadonlyArray<CursorState> {
    return this.#cursors
  }

  showQueues(states: ReadonlyArray<QueueState>, nowMillis: number, services: Context.Context<never>): void {
    this.#queues = states.toSorted((a, b) => b.depth - a.depth)
    const rows = this.#queues.map(({ depth, oldestAt, queue }) => {
      const age = oldestAt === undefined ? 0 : Math.max(0, nowMillis - oldestAt) / 1000
      return { name: queue, values: [depth, age] }
    })
    this.#queueSeries.show(rows, services)
    queueCount.updateUnsafe(states.length, services)
  }

  showCursors(states: ReadonlyArray<CursorState>, services: Context.Context<never>): void {
    this.#cursors = states.toSorted((a, b) => b.lag - a.lag)
    const rows = this.#cursors.map(({ lag, name }) => ({ name, values: [lag] }))
    this.#cursorSeries.show(rows, services)
    cursorCount.updateUnsafe(states.length, services)
    heldCount.updateUnsafe(states.filter(({ isHeld }) => isHeld).length, services)
  }
}
