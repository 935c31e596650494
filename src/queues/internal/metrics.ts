/**
 * What the queues count of themselves: per commit, never per item.
 */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import * as gauges from "../../domain/gauges.ts"
import type { QueueOperation, QueueResult } from "../../storage/QueueStore.ts"

const commits = Metric.counter("millrace_queue_commits_total", {
  description: "Commits of operations on queues",
  incremental: true,
})
const commitFailures = Metric.counter("millrace_queue_commit_failures_total", {
  description: "Commits of operations on queues that failed or whose outcome is unknown",
  incremental: true,
})
const commitSize = Metric.histogram("millrace_queue_commit_operations", {
  description: "Items that a commit enqueued, acknowledged, rejected or moved back",
  boundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 4000],
})
const commitTime = Metric.histogram("millrace_queue_commit_seconds", {
  description: "Time from the store's getting a batch of operations on queues to its being durable",
  boundaries: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
})
const operations = Metric.counter("millrace_queue_operations_total", {
  description: "Items that were enqueued, acknowledged, rejected, or moved back from a dead queue",
  incremental: true,
})
const redeliveries = Metric.counter("millrace_queue_redeliveries_total", {
  description: "Items that were rejected and are handed out again",
  incremental: true,
})
const dead = Metric.counter("millrace_queue_dead_items_total", {
  description: "Items that were rejected too often and went to a dead queue",
  incremental: true,
})
const waiting = Metric.gauge("millrace_queue_operations_waiting", {
  description: "Operations on queues that wait for their commit to begin",
})
const takers = Metric.gauge("millrace_queue_takers", { description: "Queues that are taken now" })

const of = {
  enqueue: Metric.withAttributes(operations, { operation: "enqueue" }),
  ack: Metric.withAttributes(operations, { operation: "ack" }),
  reject: Metric.withAttributes(operations, { operation: "reject" }),
  redrive: Metric.withAttributes(operations, { operation: "redrive" }),
}

type Services = Context.Context<never>

/** Makes every metric known, also those that nothing has happened to yet. */
export const begin = (services: Services): void => {
  for (const metric of [commits, commitFailures, redeliveries, dead, ...Object.values(of)]) {
    metric.updateUnsafe(0, services)
  }
  for (const metric of [commitSize, commitTime]) metric.valueUnsafe(services)
}

export const watchWaiting = (services: Services, read: () => number) => gauges.watch(waiting, services, read)
export const watchTakers = (services: Services, read: () => number) => gauges.watch(takers, services, read)

/** A step of a commit. */
interface Step {
  readonly operation: QueueOperation
}

/** A commit is made, with these results. */
export const committed = (
  services: Services,
  steps: ReadonlyArray<Step>,
  results: ReadonlyArray<QueueResult>,
  seconds: number,
): void => {
  const counts = { enqueue: 0, ack: 0, reject: 0, redrive: 0, redelivered: 0, dead: 0 }
  for (let i = 0; i < steps.length; i++) count(counts, steps[i]!.operation, results[i]!)
  for (const name of ["enqueue", "ack", "reject", "redrive"] as const) {
    if (counts[name] > 0) of[name].updateUnsafe(counts[name], services)
  }
  if (counts.redelivered > 0) redeliveries.updateUnsafe(counts.redelivered, services)
  if (counts.dead > 0) dead.updateUnsafe(counts.dead, services)
  commits.updateUnsafe(1, services)
  commitSize.updateUnsafe(counts.enqueue + counts.ack + counts.reject + counts.redrive, services)
  commitTime.updateUnsafe(seconds, services)
}

const count = (
  counts: Record<"enqueue" | "ack" | "reject" | "redrive" | "redelivered" | "dead", number>,
  operation: QueueOperation,
  result: QueueResult,
): void => {
  switch (result.type) {
    case "enqueue":
      if (operation.type === "enqueue") for (const { items } of operation.blocks) counts.enqueue += items
      return
    case "ack":
      counts.ack += result.accepted ? 1 : 0
      return
    case "ackRange":
      counts.ack += result.removed
      return
    case "reject":
      if (!result.accepted) return
      counts.reject += 1
      if (result.isDead) counts.dead += 1
      else counts.redelivered += 1
      return
    case "redrive":
      counts.redrive += result.moved
      return
    case "full":
  }
}

export const commitFailed = (services: Services): void => commitFailures.updateUnsafe(1, services)
