/**
 * What a node says of its process: memory, CPU time, and how late its event loop is. Names that are not ours are those
 * of Prometheus's own clients.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import * as gauges from "../domain/gauges.ts"
import type { EventLoop } from "./EventLoop.ts"

const lag = (name: string, what: string) =>
  Metric.gauge(`nodejs_eventloop_lag_${name}_seconds`, {
    description: `How late the event loop ran timers in the last ten to twenty seconds: ${what}`,
  })
const lags = [
  { fraction: 0.5, gauge: lag("p50", "the median") },
  { fraction: 0.99, gauge: lag("p99", "the 99th percentile") },
  { fraction: 1, gauge: lag("max", "the latest") },
]
const residentMemory = Metric.gauge("process_resident_memory_bytes", { description: "Resident memory of the process" })
const heapUsed = Metric.gauge("nodejs_heap_size_used_bytes", { description: "JavaScript heap in use" })
const external = Metric.gauge("nodejs_external_memory_bytes", { description: "Memory of buffers outside the heap" })
const cpu = Metric.counter("process_cpu_seconds_total", { description: "CPU time of all threads of the process" })
const startTime = Metric.gauge("process_start_time_seconds", {
  description: "When the process was started, in seconds since 1970",
})

/** Shows the metrics of the process while the scope is open. */
export const watch = (eventLoop: EventLoop): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const services = yield* Effect.context<never>()
    for (const { fraction, gauge } of lags) {
      yield* gauges.watch(gauge, services, () => eventLoop.delaySeconds(fraction))
    }
    yield* gauges.watch(residentMemory, services, () => process.memoryUsage.rss())
    yield* gauges.watch(heapUsed, services, () => process.memoryUsage().heapUsed)
    yield* gauges.watch(external, services, () => process.memoryUsage().external)
    yield* gauges.watch(startTime, services, () => Math.round(performance.timeOrigin) / 1000)
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        Metric.registerUnsafe(cpu, services, {
          get: () => ({ count: cpuSeconds(), incremental: true }),
          update: () => {},
          modify: () => {},
        }),
      ),
      (registration) => Effect.sync(() => registration.remove()),
    )
  })

const cpuSeconds = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1e6
}
