/**
 * What a node says of its process: memory, and how late its event loop is. The services below count for themselves
 * (`topics/internal/metrics`); all of it is in effect's registry, and read from there.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"

/** How often the event loop is looked at: its delay is what a look comes later than that. */
const resolutionMillis = 10

const delay = Metric.gauge("millrace_event_loop_delay_seconds", {
  description: "How late the event loop ran a timer since this was last read, 0 where it was never late",
})
const quantiles = [50, 99].map((percentile) => ({
  percentile,
  gauge: Metric.withAttributes(delay, { quantile: String(percentile / 100) }),
}))
const residentMemory = Metric.gauge("process_resident_memory_bytes", { description: "Resident memory of the process" })
const heapUsed = Metric.gauge("process_heap_used_bytes", { description: "JavaScript heap in use" })
const external = Metric.gauge("process_external_memory_bytes", { description: "Memory of buffers outside the heap" })

/** Brings the process's metrics up to date in the registry. */
export interface ProcessMetrics {
  readonly update: (services: Context.Context<never>) => void
}

/** Watches the event loop while the scope is open. */
export const make: Effect.Effect<ProcessMetrics, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const histogram = monitorEventLoopDelay({ resolution: resolutionMillis })
    histogram.enable()
    return histogram
  }),
  (histogram) => Effect.sync(() => histogram.disable()),
).pipe(
  Effect.map((histogram) => ({
    update: (services) => {
      for (const { percentile, gauge } of quantiles) {
        const lateMillis = histogram.count === 0 ? 0 : histogram.percentile(percentile) / 1e6 - resolutionMillis
        gauge.updateUnsafe(Math.max(0, lateMillis) / 1000, services)
      }
      histogram.reset()
      const memory = process.memoryUsage()
      residentMemory.updateUnsafe(memory.rss, services)
      heapUsed.updateUnsafe(memory.heapUsed, services)
      external.updateUnsafe(memory.external, services)
    },
  })),
)
