import { Context, Metric } from "effect"
import { describe, expect, it } from "vitest"
import { QueueGauges } from "../../src/node/QueueGauges.ts"

const state = (queue: string, depth: number, oldestAt: number | undefined) => ({
  queue,
  depth,
  lastSequence: depth,
  oldestAt,
})

describe("the metrics of queues", () => {
  it("have a series for each of the fullest queues, and one for all others", () => {
    const services = Context.make(Metric.MetricRegistry, new Map())
    const value = (name: string, queue: string) =>
      Metric.snapshotUnsafe(services).find(({ id, attributes }) => id === name && attributes?.["queue"] === queue)
        ?.state
    const gauges = new QueueGauges()
    gauges.show(
      [...Array.from({ length: 60 }, (_, i) => state(`q${i}`, 100 - i, 1000 * i)), state("empty", 0, undefined)],
      100_000,
      services,
    )
    expect(value("millrace_queue_depth", "q0")).toEqual({ value: 100 })
    expect(value("millrace_queue_oldest_item_age_seconds", "q49")).toEqual({ value: 51 })
    expect(value("millrace_queue_depth", "q50")).toBeUndefined()
    expect(value("millrace_queue_depth", "(others)")).toEqual({
      value: 50 + 49 + 48 + 47 + 46 + 45 + 44 + 43 + 42 + 41,
    })
    expect(value("millrace_queue_oldest_item_age_seconds", "(others)")).toEqual({ value: 50 })
    gauges.show([state("q1", 7, 99_000)], 100_000, services)
    expect(value("millrace_queue_depth", "q1")).toEqual({ value: 7 })
    expect(value("millrace_queue_depth", "q0")).toBeUndefined()
    expect(value("millrace_queue_depth", "(others)")).toBeUndefined()
  })
})
