/**
 * What the exchange tells of itself. Everything is counted by the routing core anyway, and read when somebody asks.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import * as gauges from "../../domain/gauges.ts"
import type { RoutingCore } from "../RoutingCore.ts"

const gauge = (name: string, description: string, read: (core: RoutingCore) => number) => ({
  gauge: Metric.gauge(name, { description }),
  read,
})

const all = [
  gauge("millrace_clients", "Clients of the live plane that are connected, secondaries too", (core) => core.size),
  gauge(
    "millrace_live_subscriptions",
    "Filters that clients of the live plane have subscribed to",
    (core) => core.subscriptions,
  ),
  gauge("millrace_live_frames_in", "Frames that came from clients of the live plane", (core) => core.framesIn),
  gauge("millrace_live_bytes_in", "Payload that came from clients of the live plane", (core) => core.bytesIn),
  gauge("millrace_live_frames_out", "Frames that went to clients of the live plane", (core) => core.framesOut),
  gauge("millrace_live_bytes_out", "Payload that went to clients of the live plane", (core) => core.bytesOut),
  gauge("millrace_live_frames_dropped", "Frames that a client's full buffer did not take", (core) => core.dropped),
  gauge(
    "millrace_live_overflows",
    "Clients that were disconnected because their buffer was full",
    (core) => core.overflows,
  ),
]

/** Shows the figures of a core while the scope is open. */
export const watch = Effect.fnUntraced(function* (core: RoutingCore): Effect.fn.Return<void, never, Scope.Scope> {
  const services = yield* Effect.context<never>()
  for (const { gauge, read } of all) yield* gauges.watch(gauge, services, () => read(core))
})
