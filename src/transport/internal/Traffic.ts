/** What a listener has accepted and refused, as metrics. Bytes are read off the connections when somebody asks. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import * as gauges from "../../domain/gauges.ts"
import type { Connection } from "../Connection.ts"

const connections = Metric.gauge("millrace_connections", { description: "Connections open now, by their listener" })
const accepted = Metric.counter("millrace_connections_accepted_total", {
  description: "Connections that were made, by their listener",
  incremental: true,
})
const refused = Metric.counter("millrace_connections_refused_total", {
  description: "Peers that were turned away before they had a connection, by listener and reason",
  incremental: true,
})
const bytes = Metric.counter("millrace_connection_bytes_total", {
  description: "Bytes of connections, by listener and direction",
  incremental: true,
})

/** Why a peer gets no connection. */
export const refusals = ["limit", "origin", "handshake", "system"] as const
export type Refusal = (typeof refusals)[number]

export class Traffic {
  readonly live = new Set<Connection>()
  accepted = 0
  readonly refused: Record<Refusal, number> = { limit: 0, origin: 0, handshake: 0, system: 0 }
  /** Of connections that are gone. */
  #receivedBytes = 0
  #sentBytes = 0

  opened(connection: Connection): void {
    this.live.add(connection)
    this.accepted += 1
  }

  gone(connection: Connection): void {
    if (!this.live.delete(connection)) return
    this.#receivedBytes += connection.receivedBytes
    this.#sentBytes += connection.sentBytes
  }

  get receivedBytes(): number {
    let sum = this.#receivedBytes
    for (const connection of this.live) sum += connection.receivedBytes
    return sum
  }

  get sentBytes(): number {
    let sum = this.#sentBytes
    for (const connection of this.live) sum += connection.sentBytes
    return sum
  }

  /** Shows it all while the scope is open. `listener` is the endpoint's text. */
  watch(services: Context.Context<never>, listener: string): Effect.Effect<void, never, Scope.Scope> {
    const of = { listener }
    return Effect.all(
      [
        gauges.watch(Metric.withAttributes(connections, of), services, () => this.live.size),
        gauges.watchCount(Metric.withAttributes(accepted, of), services, () => this.accepted),
        ...refusals.map((reason) =>
          gauges.watchCount(Metric.withAttributes(refused, { ...of, reason }), services, () => this.refused[reason]),
        ),
        gauges.watchCount(
          Metric.withAttributes(bytes, { ...of, direction: "received" }),
          services,
          () => this.receivedBytes,
        ),
        gauges.watchCount(Metric.withAttributes(bytes, { ...of, direction: "sent" }), services, () => this.sentBytes),
      ],
      { discard: true },
    )
  }
}
