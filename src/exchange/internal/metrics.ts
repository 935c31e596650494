/**
 * What the exchange tells of itself. Everything is counted by the routing core anyway, and read when somebody asks.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import * as gauges from "../../domain/gauges.ts"
import type { RoutingCore } from "../RoutingCore.ts"

const clients = Metric.gauge("millrace_clients", {
  description: "Clients of the live plane that are connected, secondaries too",
})
const subscriptions = Metric.gauge("millrace_live_subscriptions", {
  description: "Filters that clients of the live plane have subscribed to",
})

const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })

const frames = counter(
  "millrace_live_frames_total",
  "Frames that came from clients of the live plane, and went to them",
)
const bytes = counter("millrace_live_bytes_total", "The payload of these frames")
const dropped = counter("millrace_live_dropped_total", "Frames that a client's full buffer did not take")
const overflows = counter(
  "millrace_live_overflows_total",
  "Clients that were disconnected because their buffer was full",
)
const unsettled = Metric.gauge("millrace_live_unsettled_bytes", {
  description: "What clients of the live plane have published on durable topics, or asked .bus for, and is not done",
})
const held = Metric.gauge("millrace_live_held_clients", {
  description: "Clients of the live plane that are not read until some of that is done",
})
const received = { direction: "received" }
const sent = { direction: "sent" }

/** Shows the figures of a core while the scope is open. */
export const watch = Effect.fnUntraced(function* (core: RoutingCore): Effect.fn.Return<void, never, Scope.Scope> {
  const services = yield* Effect.context<never>()
  yield* gauges.watch(clients, services, () => core.size)
  yield* gauges.watch(subscriptions, services, () => core.subscriptions)
  yield* gauges.watchCount(Metric.withAttributes(frames, received), services, () => core.framesIn)
  yield* gauges.watchCount(Metric.withAttributes(frames, sent), services, () => core.framesOut)
  yield* gauges.watchCount(Metric.withAttributes(bytes, received), services, () => core.bytesIn)
  yield* gauges.watchCount(Metric.withAttributes(bytes, sent), services, () => core.bytesOut)
  yield* gauges.watchCount(dropped, services, () => core.dropped)
  yield* gauges.watchCount(overflows, services, () => core.overflows)
  yield* gauges.watch(unsettled, services, () => core.unsettled.bytes)
  yield* gauges.watch(held, services, () => core.unsettled.held)
})
