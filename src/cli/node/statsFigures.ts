/**
 * From two snapshots of a node's figures to what happened between them. Plain functions.
 */
import * as NodeId from "../../domain/NodeId.ts"
import type { CommitStats, StatsSnapshot, TimeHistogram } from "../../stats/Stats.ts"

/** What a kind of commits did in a while; absent where there was no while, or no commit in it. */
export interface CommitFigures {
  readonly perSecond: number | undefined
  readonly entriesPerSecond: number | undefined
  readonly entriesPerCommit: number | undefined
  /** Seconds. */
  readonly p50: number | undefined
  readonly p99: number | undefined
  readonly failures: number
}

export interface QueueFigures {
  readonly queue: string
  readonly depth: number
  /** Seconds; absent where it is empty. */
  readonly oldestAge: number | undefined
  readonly inPerSecond: number | undefined
  readonly outPerSecond: number | undefined
}

export interface PeerFigures {
  readonly peer: string
  readonly state: string
  readonly lag: number
  /** Seconds since the node was in touch with it; absent where it never was. */
  readonly silence: number | undefined
}

/** The figures as they are shown, and as they are printed with `--json`. Times in seconds, sizes in bytes. */
export interface StatsFigures {
  readonly time: string
  readonly node: string
  readonly uptime: number
  readonly ready: boolean
  readonly error: string
  readonly since: string
  readonly messages: CommitFigures
  readonly bytesPerSecond: number | undefined
  readonly publishFailures: number
  readonly writesWaiting: number
  readonly feedJumps: number
  readonly feedHeldBytes: number
  readonly subscriptions: number
  readonly subscribers: ReadonlyArray<{
    readonly filter: string
    readonly origin: string | undefined
    readonly lag: number
    readonly live: boolean
  }>
  readonly operations: CommitFigures
  readonly cursorCount: number
  readonly cursors: ReadonlyArray<{
    readonly name: string
    readonly filter: string
    readonly lag: number
    readonly held: boolean
  }>
  readonly queueCount: number
  readonly takers: number
  readonly queues: ReadonlyArray<QueueFigures>
  readonly peers: ReadonlyArray<PeerFigures>
  readonly store: StatsSnapshot["store"]
  readonly process: StatsSnapshot["process"]
  readonly loopDelay: StatsSnapshot["loopDelay"]
  readonly connections: number
}

/** The time that so much of a histogram took at most, in its bounds' unit; straight lines within a bucket. */
export const percentile = ({ bounds, counts }: TimeHistogram, fraction: number): number | undefined => {
  const total = counts.at(-1) ?? 0
  if (total === 0) return undefined
  const wanted = total * fraction
  const i = counts.findIndex((count) => count >= wanted)
  const low = bounds[i - 1] ?? 0
  const high = bounds[i]!
  // Beyond the last bound nothing is known but that it was more.
  if (high === Infinity) return low
  const below = counts[i - 1] ?? 0
  return low + ((high - low) * (wanted - below)) / (counts[i]! - below)
}

const difference = (before: TimeHistogram, after: TimeHistogram): TimeHistogram => ({
  bounds: after.bounds,
  counts: after.counts.map((count, i) => count - (before.counts[i] ?? 0)),
})

const commitFigures = (before: CommitStats | undefined, after: CommitStats, seconds: number): CommitFigures => {
  const nothing = { perSecond: undefined, entriesPerSecond: undefined, entriesPerCommit: undefined }
  if (before === undefined) return { ...nothing, p50: undefined, p99: undefined, failures: after.failures }
  const commits = after.commits - before.commits
  const entries = after.entries - before.entries
  const times = difference(before.seconds, after.seconds)
  return {
    perSecond: commits / seconds,
    entriesPerSecond: entries / seconds,
    entriesPerCommit: commits === 0 ? undefined : entries / commits,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    failures: after.failures,
  }
}

const queueFigures = (
  before: StatsSnapshot | undefined,
  { at, queues }: StatsSnapshot,
  seconds: number,
): ReadonlyArray<QueueFigures> => {
  const earlier = new Map(before?.queues.map((queue) => [queue.queue, queue]))
  return queues.map(({ depth, enqueued, oldestAt, queue }) => {
    const old = earlier.get(queue)
    const left = enqueued - depth
    return {
      queue,
      depth,
      oldestAge: oldestAt === undefined ? undefined : Math.max(0, at - oldestAt) / 1000,
      inPerSecond: old === undefined ? undefined : (enqueued - old.enqueued) / seconds,
      outPerSecond: old === undefined ? undefined : Math.max(0, left - (old.enqueued - old.depth)) / seconds,
    }
  })
}

/** The figures of `after`, with rates since `before` where it is given and of the same run of the same node. */
export const figures = (earlier: StatsSnapshot | undefined, after: StatsSnapshot): StatsFigures => {
  const isSameRun = earlier !== undefined && after.uptimeSeconds > earlier.uptimeSeconds
  const before = isSameRun ? earlier : undefined
  const seconds = before === undefined ? 0 : after.uptimeSeconds - before.uptimeSeconds
  return {
    time: new Date(after.at).toISOString(),
    node: NodeId.format(after.node),
    uptime: after.uptimeSeconds,
    ready: after.readiness.ready,
    error: after.readiness.error,
    since: new Date(after.readiness.since).toISOString(),
    messages: commitFigures(before?.messages, after.messages, seconds),
    bytesPerSecond: before === undefined ? undefined : (after.messageBytes - before.messageBytes) / seconds,
    publishFailures: after.publishFailures,
    writesWaiting: after.writesWaiting,
    feedJumps: after.feedJumps,
    feedHeldBytes: after.feedHeldBytes,
    subscriptions: after.subscriptions,
    subscribers: after.subscribers.map(({ filter, isLive, lag, origin }) => ({
      filter,
      origin: origin === undefined ? undefined : NodeId.format(origin),
      lag,
      live: isLive,
    })),
    operations: commitFigures(before?.operations, after.operations, seconds),
    cursorCount: after.cursorCount,
    cursors: after.cursors.map(({ filter, isHeld, lag, name }) => ({ name, filter, lag, held: isHeld })),
    queueCount: after.queueCount,
    takers: after.takers,
    queues: queueFigures(before, after, seconds),
    peers: after.peers.map(({ lag, lastSuccessAt, peer, state }) => ({
      peer,
      state,
      lag,
      silence: lastSuccessAt === undefined ? undefined : Math.max(0, after.at - lastSuccessAt) / 1000,
    })),
    store: after.store,
    process: after.process,
    loopDelay: after.loopDelay,
    connections: after.connections,
  }
}
