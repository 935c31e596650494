/**
 * What a server holds now, as gauges: connections, and publishes that are under way or wait for room; and how many
 * connections it has refused.
 */
import type * as net from "node:net"
import type { Server } from "@grpc/grpc-js"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as gauges from "../../../domain/gauges.ts"
import type { Admission } from "./Admission.ts"
import { hasJustLeft, wordsFor } from "../../../transport/errors.ts"
import type { TellRefusal } from "../../../transport/refusals.ts"

const connections = Metric.gauge("millrace_grpc_connections", { description: "gRPC connections open now" })
const refused = Metric.counter("millrace_grpc_connections_refused_total", {
  description: "gRPC connections that were refused, by reason",
  incremental: true,
})
/** There were as many connections as there may be; the TLS handshake failed, or did not end in time. */
const refusals = {
  limit: Metric.withAttributes(refused, { reason: "limit" }),
  handshake: Metric.withAttributes(refused, { reason: "handshake" }),
}
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

interface Place {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
}

/** Counts and tells the connections that a server refuses, from when it listens on. */
export const watchRefused = (server: Server, services: Context.Context<never>, tellRefusal: TellRefusal): void => {
  refusals.limit.updateUnsafe(0, services)
  refusals.handshake.updateUnsafe(0, services)
  // A socket that its peer has closed does not know any more whose it was.
  const peerOf = ({ remoteAddress, remotePort }: Place = {}): string =>
    remoteAddress === undefined ? "unknown" : `${remoteAddress}:${remotePort}`
  for (const http2Server of server["http2Servers"].keys()) {
    http2Server.on("drop", (connection?: net.DropArgument) => {
      refusals.limit.updateUnsafe(1, services)
      tellRefusal({
        kind: "connection",
        sentence: "a client was refused: there are as many connections as there may be",
        annotations: { peer: peerOf(connection) },
      })
    })
    http2Server.on("tlsClientError", (cause: Error, socket: net.Socket) => {
      if (hasJustLeft(cause)) return
      refusals.handshake.updateUnsafe(1, services)
      tellRefusal({
        kind: "handshake",
        sentence: "a client was refused: its TLS handshake failed",
        annotations: { peer: peerOf(socket), reason: wordsFor(cause) },
      })
    })
  }
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
