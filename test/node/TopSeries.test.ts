import { Context, Metric } from "effect"
import { describe, expect, it } from "vitest"
import { Backlog } from "../../src/node/Backlog.ts"
import { defaultNodeId } from "../../src/domain/NodeId.ts"

const queue = (name: string, depth: number, oldestAt: number | undefined) => ({
  queue: name,
  depth,
  lastSequence: depth,
  oldestAt,
})

const cursor = (name: string, lag: number) => ({
  name,
  lag,
  topics: "a/#",
  origin: defaultNodeId,
  position: 1,
  movedAt: 0,
  isHeld: lag === 0,
})

const watched = () => {
  const services = Context.make(Metric.MetricRegistry, new Map())
  const value = (metric: string, label?: string) =>
    Metric.snapshotUnsafe(services).find(
      ({ attributes = {}, id }) => id === metric && Object.values(attributes)[0] === label,
    )?.state
  return { services, value }
}

describe("the metrics of queues and cursors", () => {
  it("have a series for each of the first fifty, and one for all others", () => {
    const { services, value } = watched()
    const backlog = new Backlog()
    const many = Array.from({ length: 60 }, (_, i) => queue(`q${i}`, 100 - i, 1000 * i))
    backlog.showQueues([queue("empty", 0, undefined), ...many], 100_000, services)
    expect(value("millrace_queues")).toEqual({ value: 61 })
    expect(value("millrace_queue_depth", "q0")).toEqual({ value: 100 })
    expect(value("millrace_queue_oldest_item_age_seconds", "q49")).toEqual({ value: 51 })
    expect(value("millrace_queue_depth", "q50")).toBeUndefined()
    expect(value("millrace_queue_depth", "(others)")).toEqual({
      value: 50 + 49 + 48 + 47 + 46 + 45 + 44 + 43 + 42 + 41,
    })
    expect(value("millrace_queue_oldest_item_age_seconds", "(others)")).toEqual({ value: 50 })
    backlog.showQueues([queue("q1", 7, 99_000)], 100_000, services)
    expect(value("millrace_queue_depth", "q1")).toEqual({ value: 7 })
    expect(value("millrace_queue_depth", "q0")).toBeUndefined()
    expect(value("millrace_queue_depth", "(others)")).toBeUndefined()
  })

  it("tell how far cursors are behind, held or not", () => {
    const { services, value } = watched()
    const backlog = new Backlog()
    backlog.showCursors([cursor("live", 0), ...Array.from({ length: 60 }, (_, i) => cursor(`c${i}`, i + 1))], services)
    expect(value("millrace_cursor_lag_messages", "c59")).toEqual({ value: 60 })
    expect(value("millrace_cursor_lag_messages", "live")).toBeUndefined()
    expect(value("millrace_cursor_lag_messages", "(others)")).toEqual({ value: 10 })
    expect(value("millrace_cursors")).toEqual({ value: 61 })
    expect(value("millrace_cursors_held")).toEqual({ value: 1 })
    expect(backlog.cursors[0]?.name).toBe("c59")
  })
})
