/**
 * What a server holds now, as gauges: connections, and publishes that are under way or wait for room.
 */
import type { Server } from "@grpc/grpc-js"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as gauges from "../../domain/gauges.ts"
import type { Admission } from "./Admission.ts"

const connections = Metric.gauge("millrace_grpc_connections", { description: "gRPC connections open now" })
const admitted = Metric.gauge("millrace_grpc_admitted_bytes", {
  description: "What gRPC calls hold that wait to be stored",
})
const waiting = Metric.gauge("millrace_grpc_calls_waiting", {
  description: "gRPC calls that wait until there is room for what they bring",
})

/** The library counts its connections for itself alone. */
const countConnections = (server: Server): number => {
  let count = 0
  for (const { sessions } of server["http2Servers"].values()) count += sessions.size
  return count
}

/** Shows the gauges of a server while the scope is open. */
export const watch = (server: Server, admission: Admission, services: Context.Context<never>) =>
  Effect.all(
    [
      gauges.watch(connections, services, () => countConnections(server)),
      gauges.watch(admitted, services, () => admission.bytes),
      gauges.watch(waiting, services, () => admission.waiting),
    ],
    { discard: true },
  )
