/**
 * How the node stands with its peers, as metrics: a series for each peer, however many logs it has.
 */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { PeerStatus } from "../replication/index.ts"

const gauge = (name: string, description: string, of: (peer: PeerStatus) => number) => ({
  metric: Metric.gauge(name, { description }),
  of,
})

const gauges = [
  gauge("millrace_sync_lag_messages", "Messages that a peer has and this node has not", ({ behind }) => behind),
  gauge("millrace_sync_logs", "Logs that a peer has", ({ logs }) => logs),
  gauge("millrace_sync_logs_behind", "Logs that a peer has more of", ({ logsBehind }) => logsBehind),
  gauge("millrace_sync_logs_failing", "Logs of a peer that something is wrong with", ({ logsFailing }) => logsFailing),
  gauge(
    "millrace_sync_logs_quarantined",
    "Logs that differ here and at a peer, and that wait for a decision",
    ({ logsQuarantined }) => logsQuarantined,
  ),
  gauge("millrace_sync_failures", "Attempts in a row that a peer has failed", ({ failures }) => failures),
  gauge("millrace_sync_told", "1 where a peer tells at once what it has got, 0 where it is polled", ({ isTelling }) =>
    isTelling ? 1 : 0,
  ),
  gauge(
    "millrace_sync_last_success_timestamp_seconds",
    "When the node was in touch with a peer last, in seconds since 1970; 0 where it never was",
    ({ lastSuccessAt }) => lastSuccessAt / 1000,
  ),
]

const accepted = Metric.counter("millrace_sync_messages_accepted_total", {
  description: "Messages that were got from a peer",
  incremental: true,
})

export class PeerMetrics {
  readonly #accepted = new Map<string, number>()

  show(peers: ReadonlyArray<PeerStatus>, services: Context.Context<never>): void {
    for (const peer of peers) {
      const labels = { peer: peer.peer }
      for (const { metric, of } of gauges) Metric.withAttributes(metric, labels).updateUnsafe(of(peer), services)
      const more = peer.accepted - (this.#accepted.get(peer.peer) ?? 0)
      Metric.withAttributes(accepted, labels).updateUnsafe(more, services)
      this.#accepted.set(peer.peer, peer.accepted)
    }
  }
}
