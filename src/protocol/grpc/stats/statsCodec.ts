/**
 * Between a node's figures and `millrace.v1.GetStatsResponse`.
 */
import type { CommitStats, StatsSnapshot } from "../../../stats/Stats.ts"
import * as codec from "../codec/codec.ts"
import type { CommitStats as CommitStatsMessage, GetStatsResponse } from "../gen/millrace/v1/stats_pb.ts"

/** A counter or a size as a uint64. */
const whole = (value: number): bigint => BigInt(Math.max(0, Math.round(value)))

const commitsMessage = ({ commits, entries, failures, seconds }: CommitStats): CommitStatsMessage => ({
  $typeName: "millrace.v1.CommitStats",
  commits: whole(commits),
  failures: whole(failures),
  entries: whole(entries),
  bounds: [...seconds.bounds],
  counts: seconds.counts.map(whole),
})

const plainCommits = (message: CommitStatsMessage | undefined): CommitStats => ({
  commits: Number(message?.commits ?? 0),
  failures: Number(message?.failures ?? 0),
  entries: Number(message?.entries ?? 0),
  seconds: { bounds: message?.bounds ?? [], counts: (message?.counts ?? []).map(Number) },
})

export const statsMessage = (stats: StatsSnapshot): GetStatsResponse => ({
  $typeName: "millrace.v1.GetStatsResponse",
  node: codec.nodeMessage(stats.node),
  atMs: whole(stats.at),
  uptimeSeconds: stats.uptimeSeconds,
  readiness: {
    $typeName: "millrace.v1.ReadinessStats",
    ready: stats.readiness.ready,
    error: stats.readiness.error,
    sinceMs: whole(stats.readiness.since),
  },
  messages: commitsMessage(stats.messages),
  messageBytes: whole(stats.messageBytes),
  publishFailures: whole(stats.publishFailures),
  writesWaiting: whole(stats.writesWaiting),
  feedJumps: whole(stats.feedJumps),
  feedHeldBytes: whole(stats.feedHeldBytes),
  subscriptions: stats.subscriptions,
  subscribers: stats.subscribers.map(({ filter, isLive, lag, origin }) => ({
    $typeName: "millrace.v1.SubscriberStats",
    filter,
    ...(origin === undefined ? {} : { origin: codec.nodeMessage(origin) }),
    lag: whole(lag),
    live: isLive,
  })),
  operations: commitsMessage(stats.operations),
  queueCount: stats.queueCount,
  takers: stats.takers,
  queues: stats.queues.map(({ depth, enqueued, oldestAt, queue }) => ({
    $typeName: "millrace.v1.QueueStats",
    queue,
    depth: whole(depth),
    enqueued: whole(enqueued),
    ...(oldestAt === undefined ? {} : { oldestAtMs: whole(oldestAt) }),
  })),
  ...(stats.store === undefined
    ? {}
    : {
        store: {
          $typeName: "millrace.v1.StoreStats",
          databaseBytes: whole(stats.store.databaseBytes),
          ...(stats.store.walBytes === undefined ? {} : { walBytes: whole(stats.store.walBytes) }),
          ...(stats.store.freeBytes === undefined ? {} : { freeBytes: whole(stats.store.freeBytes) }),
        },
      }),
  process: {
    $typeName: "millrace.v1.ProcessStats",
    residentBytes: whole(stats.process.residentBytes),
    heapBytes: whole(stats.process.heapBytes),
    loopDelayP50: stats.loopDelay.p50,
    loopDelayP99: stats.loopDelay.p99,
    loopDelayMax: stats.loopDelay.max,
  },
  connections: stats.connections,
  cursorCount: stats.cursorCount,
  cursors: stats.cursors.map(({ filter, isHeld, lag, name }) => ({
    $typeName: "millrace.v1.CursorStats",
    name,
    filter,
    lag: whole(lag),
    held: isHeld,
  })),
  peers: stats.peers.map(({ lag, lastSuccessAt, peer, state }) => ({
    $typeName: "millrace.v1.PeerStats",
    peer,
    state,
    lag: whole(lag),
    ...(lastSuccessAt === undefined ? {} : { lastSuccessAtMs: whole(lastSuccessAt) }),
  })),
})

export const plainStats = (message: GetStatsResponse): StatsSnapshot => ({
  node: codec.plainNode(message.node),
  at: Number(message.atMs),
  uptimeSeconds: message.uptimeSeconds,
  readiness: {
    ready: message.readiness?.ready ?? false,
    error: message.readiness?.error ?? "",
    since: Number(message.readiness?.sinceMs ?? 0),
  },
  messages: plainCommits(message.messages),
  messageBytes: Number(message.messageBytes),
  publishFailures: Number(message.publishFailures),
  writesWaiting: Number(message.writesWaiting),
  feedJumps: Number(message.feedJumps),
  feedHeldBytes: Number(message.feedHeldBytes),
  subscriptions: message.subscriptions,
  subscribers: message.subscribers.map(({ filter, lag, live, origin }) => ({
    filter,
    origin: origin === undefined ? undefined : codec.plainNode(origin),
    lag: Number(lag),
    isLive: live,
  })),
  operations: plainCommits(message.operations),
  queueCount: message.queueCount,
  takers: message.takers,
  queues: message.queues.map(({ depth, enqueued, oldestAtMs, queue }) => ({
    queue,
    depth: Number(depth),
    enqueued: Number(enqueued),
    oldestAt: oldestAtMs === undefined ? undefined : Number(oldestAtMs),
  })),
  store:
    message.store === undefined
      ? undefined
      : {
          databaseBytes: Number(message.store.databaseBytes),
          walBytes: message.store.walBytes === undefined ? undefined : Number(message.store.walBytes),
          freeBytes: message.store.freeBytes === undefined ? undefined : Number(message.store.freeBytes),
        },
  process: {
    residentBytes: Number(message.process?.residentBytes ?? 0),
    heapBytes: Number(message.process?.heapBytes ?? 0),
  },
  loopDelay: {
    p50: message.process?.loopDelayP50 ?? 0,
    p99: message.process?.loopDelayP99 ?? 0,
    max: message.process?.loopDelayMax ?? 0,
  },
  connections: message.connections,
  cursorCount: message.cursorCount,
  cursors: message.cursors.map(({ filter, held, lag, name }) => ({ name, filter, lag: Number(lag), isHeld: held })),
  peers: message.peers.map(({ lag, lastSuccessAtMs, peer, state }) => ({
    peer,
    state,
    lag: Number(lag),
    lastSuccessAt: lastSuccessAtMs === undefined ? undefined : Number(lastSuccessAtMs),
  })),
})
