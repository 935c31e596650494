/**
 * The state of a node in figures, for those who look after it: what happened since it was started, as counters to take
 * differences of, and how it stands now.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { AccessDenied, Unavailable } from "../domain/errors.ts"
import type { NodeId } from "../domain/NodeId.ts"

/** How often something took how long. */
export interface TimeHistogram {
  /** Upper bounds in seconds, ascending; the last one is infinite. */
  readonly bounds: ReadonlyArray<number>
  /** How many were at most as long, for each bound. */
  readonly counts: ReadonlyArray<number>
}

/** Commits of one kind since the node was started. */
export interface CommitStats {
  readonly commits: number
  readonly failures: number
  /** Messages, or operations on queues, in them. */
  readonly entries: number
  readonly seconds: TimeHistogram
}

export interface SubscriberStats {
  readonly filter: string
  readonly origin: NodeId | undefined
  /** Messages of the journal that it has still to go through. */
  readonly lag: number
  readonly isLive: boolean
}

export interface QueueStats {
  readonly queue: string
  readonly depth: number
  /** Items that ever came. */
  readonly enqueued: number
  /** When the oldest item came, in milliseconds since 1970. */
  readonly oldestAt: number | undefined
}

export interface CursorStats {
  readonly name: string
  readonly filter: string
  /** Messages of the journal that it is behind. */
  readonly lag: number
  readonly isHeld: boolean
}

export interface PeerStats {
  /** The URL that it was configured with. */
  readonly peer: string
  /** How things stand with it, in a word or two, such as `in step`. */
  readonly state: string
  /** Messages that it has and the node has not. */
  readonly lag: number
  /** When the node was in touch with it last, in milliseconds since 1970; undefined where it never was. */
  readonly lastSuccessAt: number | undefined
}

export interface StoreSizes {
  readonly databaseBytes: number
  /** Of the write-ahead log beside the database; absent where there cannot be one. */
  readonly walBytes: number | undefined
  /** What an ordinary process may still write to the disk; absent where the database is not on this machine. */
  readonly freeBytes: number | undefined
}

export interface StatsSnapshot {
  readonly node: NodeId
  /** Milliseconds since 1970. */
  readonly at: number
  readonly uptimeSeconds: number
  readonly readiness: { readonly ready: boolean; readonly error: string; readonly since: number }
  readonly messages: CommitStats
  readonly messageBytes: number
  readonly publishFailures: number
  readonly writesWaiting: number
  readonly feedJumps: number
  readonly feedHeldBytes: number
  readonly subscriptions: number
  /** The slowest ones, slowest first. */
  readonly subscribers: ReadonlyArray<SubscriberStats>
  readonly operations: CommitStats
  readonly queueCount: number
  readonly takers: number
  /** Those with the most items, most first. */
  readonly queues: ReadonlyArray<QueueStats>
  readonly cursorCount: number
  /** Those that are the farthest behind, farthest first. */
  readonly cursors: ReadonlyArray<CursorStats>
  readonly peers: ReadonlyArray<PeerStats>
  /** Absent where the store is in memory. */
  readonly store: StoreSizes | undefined
  readonly process: { readonly residentBytes: number; readonly heapBytes: number }
  /** Seconds, in the last ten to twenty of them. */
  readonly loopDelay: { readonly p50: number; readonly p99: number; readonly max: number }
  readonly connections: number
}

export class Stats extends Context.Service<
  Stats,
  {
    /** The figures now. What the store does not tell in time is as it was before. */
    readonly current: Effect.Effect<StatsSnapshot, AccessDenied | Unavailable>
  }
>()("millrace/stats/Stats") {}
