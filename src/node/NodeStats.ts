/**
 * The figures of a node, gathered from where they are kept: what the services count is in effect's registry of metrics,
 * what has to be looked up is looked up when somebody asks.
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import type { NodeId } from "../domain/NodeId.ts"
import { Queues } from "../queues/index.ts"
import { Readiness } from "../readiness/index.ts"
import { type PeerStatus, peerStatuses, Replication, standingOf } from "../replication/index.ts"
import {
  type CommitStats,
  Stats,
  type StatsSnapshot,
  type StoreSizes as Sizes,
  type TimeHistogram,
} from "../stats/Stats.ts"
import { Subscribers, Topics } from "../topics/index.ts"
import { Backlog } from "./Backlog.ts"
import * as EventLoop from "./EventLoop.ts"
import { PeerMetrics } from "./PeerMetrics.ts"
import * as ProcessMetrics from "./ProcessMetrics.ts"
import * as StoreSizes from "./StoreSizes.ts"

/** Rows of subscriptions and of queues in a snapshot. */
const rowsMax = 100

/** How long the store and its disk may take to answer; then the figures are those of before. */
const patienceMillis = 1000

export interface NodeStatsOptions {
  readonly node: NodeId
  /** What says how large the store is now; or nothing, where that cannot be said. */
  readonly sizes: Effect.Effect<Effect.Effect<Sizes | undefined>, never, Scope.Scope>
  /** Whether to keep the metrics fresh that have to be looked up, for somebody who does not ask for them here. */
  readonly isExported: boolean
}

/** How often metrics are looked up that are exported. */
const refreshMillis = 5000

/** The metrics as they are in the registry, by name, with all their series. */
class Registry {
  readonly #series = new Map<string, Array<Metric.Metric.Snapshot>>()

  constructor(services: Context.Context<never>) {
    for (const snapshot of Metric.snapshotUnsafe(services)) {
      const series = this.#series.get(snapshot.id)
      if (series === undefined) this.#series.set(snapshot.id, [snapshot])
      else series.push(snapshot)
    }
  }

  /** The sum over all series of a counter or a gauge. */
  total(name: string): number {
    let sum = 0
    for (const { state, type } of this.#series.get(name) ?? []) {
      if (type === "Counter") sum += Number(state.count)
      else if (type === "Gauge") sum += Number(state.value)
    }
    return sum
  }

  times(name: string): TimeHistogram {
    for (const { state, type } of this.#series.get(name) ?? []) {
      if (type !== "Histogram") continue
      const bounds = [...state.buckets.map(([bound]) => bound).filter(Number.isFinite), Infinity]
      return { bounds, counts: bounds.map((bound) => countUpTo(state, bound)) }
    }
    return { bounds: [], counts: [] }
  }

  commits(kind: "" | "queue_", entries: string): CommitStats {
    return {
      commits: this.total(`millrace_${kind}commits_total`),
      failures: this.total(`millrace_${kind}commit_failures_total`),
      entries: this.total(entries),
      seconds: this.times(`millrace_${kind}commit_seconds`),
    }
  }
}

const countUpTo = ({ buckets, count }: Metric.HistogramState, bound: number): number =>
  bound === Infinity ? count : (buckets.find(([at]) => at === bound)?.[1] ?? 0)

const make = Effect.fnUntraced(function* ({ isExported, node, sizes: sizing }: NodeStatsOptions) {
  const services = yield* Effect.context<never>()
  const clock = yield* Clock.Clock
  const scope = yield* Effect.scope
  const topics = yield* Topics
  const queues = yield* Queues
  const readiness = yield* Readiness
  const subscribers = yield* Subscribers
  const measure = yield* sizing
  const eventLoop = yield* EventLoop.make
  yield* ProcessMetrics.watch(eventLoop)
  const replication = yield* Replication
  const backlog = new Backlog()
  const peerMetrics = new PeerMetrics()
  let peers: ReadonlyArray<PeerStatus> = []
  let sizes: Sizes | undefined

  // A store that fails says so elsewhere: the figures stay as they were.
  const lookAtQueues = Effect.map(queues.queues, (states) =>
    backlog.showQueues(states, clock.currentTimeMillisUnsafe(), services),
  )
  const lookAtCursors = Effect.map(topics.cursors, (states) => backlog.showCursors(states, services))
  const lookAtSizes = Effect.gen(function* () {
    const measured = yield* measure
    if (measured === undefined) return
    sizes = measured
    yield* StoreSizes.show(measured)
  })
  const lookAtPeers = Effect.zipWith(replication.peers, replication.states, (states, logs) => {
    peers = peerStatuses(states, logs)
    peerMetrics.show(peers, services)
  })
  const looks = [lookAtQueues, lookAtCursors, lookAtSizes, lookAtPeers].map((look) => Effect.ignore(look))

  /** Looks are one at a time, however many ask, and however long the store takes. */
  let looking: Deferred.Deferred<void> | undefined
  const look = Effect.suspend(() => {
    if (looking !== undefined) return Effect.succeed(looking)
    const done = (looking = Deferred.makeUnsafe<void>())
    return Effect.all(looks, { concurrency: "unbounded", discard: true }).pipe(
      Effect.ensuring(
        Effect.suspend(() => {
          looking = undefined
          return Deferred.succeed(done, undefined)
        }),
      ),
      Effect.forkIn(scope),
      Effect.as(done),
    )
  })

  /** Brings up to date what has to be looked up, or does not wait any longer. */
  const refresh = Effect.flatMap(look, (done) => Effect.timeoutOption(Deferred.await(done), patienceMillis))

  if (isExported) yield* Effect.forkScoped(Effect.forever(Effect.andThen(refresh, Effect.sleep(refreshMillis))))

  const snapshot = (): StatsSnapshot => {
    const registry = new Registry(services)
    const { error, ready, since } = readiness.known()
    const { heapUsed, rss } = process.memoryUsage()
    const followers = subscribers.list()
    return {
      node,
      at: clock.currentTimeMillisUnsafe(),
      uptimeSeconds: process.uptime(),
      readiness: { ready, error, since },
      messages: registry.commits("", "millrace_messages_stored_total"),
      messageBytes: registry.total("millrace_message_bytes_stored_total"),
      publishFailures: registry.total("millrace_publish_failures_total"),
      writesWaiting: registry.total("millrace_writes_waiting"),
      feedJumps: registry.total("millrace_feed_jumps_total"),
      feedHeldBytes: registry.total("millrace_feed_held_bytes"),
      subscriptions: followers.length,
      subscribers: followers.slice(0, rowsMax),
      operations: registry.commits("queue_", "millrace_queue_operations_total"),
      queueCount: backlog.queues.length,
      takers: registry.total("millrace_queue_takers"),
      queues: backlog.queues
        .slice(0, rowsMax)
        .map(({ depth, lastSequence, oldestAt, queue }) => ({ queue, depth, enqueued: lastSequence, oldestAt })),
      cursorCount: backlog.cursors.length,
      cursors: backlog.cursors
        .slice(0, rowsMax)
        .map(({ isHeld, lag, name, topics }) => ({ name, filter: topics, lag, isHeld })),
      peers: peers.slice(0, rowsMax).map((state) => ({
        peer: state.peer,
        state: standingOf(state),
        lag: state.behind,
        lastSuccessAt: state.lastSuccessAt === 0 ? undefined : state.lastSuccessAt,
      })),
      store: sizes,
      process: { residentBytes: rss, heapBytes: heapUsed },
      loopDelay: {
        p50: eventLoop.delaySeconds(0.5),
        p99: eventLoop.delaySeconds(0.99),
        max: eventLoop.delaySeconds(1),
      },
      connections: registry.total("millrace_grpc_connections"),
    }
  }

  return Stats.of({ current: Effect.map(refresh, snapshot) })
})

export const layer = (
  options: NodeStatsOptions,
): Layer.Layer<Stats, never, Topics | Queues | Readiness | Replication | Subscribers> =>
  Layer.effect(Stats, make(options))
