/**
 * What those who look after a node see of syncing, and do about it. The same here and, over a protocol, of a node elsewhere.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type AccessDenied, InvalidArgument, type Unavailable } from "../domain/errors.ts"
import * as NodeId from "../domain/NodeId.ts"
import * as LogId from "../domain/LogId.ts"
import * as TopicFilter from "../domain/TopicFilter.ts"
import { NotResolvable } from "./errors.ts"
import type { PeerState } from "./PeerState.ts"
import type { ResolveFailure } from "./internal/resolving.ts"
import type { Replication } from "./Replication.ts"
import type { Keep, Resolution } from "./Resolution.ts"
import type { SyncState } from "./SyncState.ts"

/** Which logs are told of: none, those that something is to be said of (they are behind, fail, or differ), or all. */
export type LogSelection = "none" | "troubled" | "all"

export interface StatusWanted {
  readonly logs: LogSelection
  /** Only of this peer. */
  readonly peer?: string | undefined
  /** Only logs of topics that match. */
  readonly topics?: string | undefined
  /** Only logs of this node. */
  readonly origin?: NodeId.NodeId | undefined
}

export interface PeerStatus extends PeerState {
  /** Logs that it has more of. */
  readonly logsBehind: number
}

/** Of all peers, whichever were asked for. */
export interface SyncTotals {
  readonly peers: number
  readonly failing: number
  readonly behind: number
  readonly logsQuarantined: number
}

export interface SyncStatus {
  readonly node: NodeId.NodeId
  /** Milliseconds since 1970. */
  readonly at: number
  readonly peers: ReadonlyArray<PeerStatus>
  readonly totals: SyncTotals
}

/** First the peers, once; then logs, some at a time. */
export type SyncStatusEvent =
  | { readonly _tag: "Peers"; readonly status: SyncStatus }
  | { readonly _tag: "Logs"; readonly logs: ReadonlyArray<SyncState> }

type CallFailure = InvalidArgument | AccessDenied | Unavailable

export class SyncControl extends Context.Service<
  SyncControl,
  {
    /** How things stand now. Fails with `InvalidArgument` where a peer is named that is none, or a filter that cannot be. */
    readonly status: (wanted: StatusWanted) => Stream.Stream<SyncStatusEvent, CallFailure>
    /** See `Replication.resolve`. */
    readonly resolve: (
      log: LogId.LogId,
      keep: Keep,
      peer?: string,
    ) => Effect.Effect<Resolution, ResolveFailure | CallFailure>
  }
>()("millrace/replication/SyncControl") {}

/** Logs told of at a time. */
const chunk = 500

/** Whether there is more of a log at the peer. */
const isBehind = ({ localHead, quarantine, remoteHead }: SyncState): boolean =>
  remoteHead > localHead && quarantine?.isKept !== true

export const isTroubled = (state: SyncState): boolean =>
  isBehind(state) || (state.failures > 0 && state.quarantine?.isKept !== true)

/** All of what is known of peers and their logs that is told of peers alone. */
export const peerStatuses = (
  peers: ReadonlyArray<PeerState>,
  logs: ReadonlyArray<SyncState>,
): ReadonlyArray<PeerStatus> => {
  const behind = new Map<string, number>()
  for (const log of logs) if (isBehind(log)) behind.set(log.peer, (behind.get(log.peer) ?? 0) + 1)
  return peers.map((peer) => ({ ...peer, logsBehind: behind.get(peer.peer) ?? 0 }))
}

const statusOf = (
  node: NodeId.NodeId,
  at: number,
  all: ReadonlyArray<PeerStatus>,
  only: string | undefined,
): SyncStatus => {
  const sum = (of: (peer: PeerState) => number): number => all.reduce((total, peer) => total + of(peer), 0)
  return {
    node,
    at,
    peers: all.filter(({ peer }) => only === undefined || peer === only),
    totals: {
      peers: all.length,
      failing: sum(({ failingSince }) => (failingSince === 0 ? 0 : 1)),
      behind: sum(({ behind }) => behind),
      logsQuarantined: sum(({ logsQuarantined }) => logsQuarantined),
    },
  }
}

/** Which logs are wanted, as a function. */
const selector = ({ logs, origin, peer, topics }: StatusWanted): ((state: SyncState) => boolean) => {
  const isOfTopic = topics === undefined ? () => true : TopicFilter.matcher(topics)
  return (state) =>
    (logs === "all" || isTroubled(state)) &&
    (peer === undefined || state.peer === peer) &&
    (origin === undefined || NodeId.equals(state.log.origin, origin)) &&
    isOfTopic(state.log.topic)
}

/** The replication of a node that has none. */
export const noPeers: Replication["Service"] = {
  peers: Effect.succeed([]),
  states: Effect.succeed([]),
  recovered: Effect.void,
  resolve: (log) =>
    new NotResolvable({
      reason: "not quarantined",
      message: `the log ${LogId.format(log)} is not quarantined: the node has no peers`,
    }),
}

/** What is seen of a node's replication, and done about it. */
export const syncControl = (node: NodeId.NodeId, replication: Replication["Service"]): SyncControl["Service"] => {
  const checkPeer = (name: string | undefined) =>
    Effect.flatMap(replication.peers, (peers): Effect.Effect<ReadonlyArray<PeerState>, InvalidArgument> => {
      if (name === undefined || peers.some(({ peer }) => peer === name)) return Effect.succeed(peers)
      const known = peers.length === 0 ? "it has none" : `it has ${peers.map(({ peer }) => peer).join(", ")}`
      const message = `${NodeId.format(node)} has no peer ${JSON.stringify(name)}: ${known}`
      return Effect.fail(new InvalidArgument({ argument: "peer", message }))
    })

  const checkFilter = (topics: string | undefined): Effect.Effect<void, InvalidArgument> => {
    const problem = topics === undefined ? undefined : TopicFilter.problem(topics)
    return problem === undefined
      ? Effect.void
      : Effect.fail(new InvalidArgument({ argument: "topics", message: problem }))
  }

  return SyncControl.of({
    status: (wanted) =>
      Stream.unwrap(
        Effect.gen(function* () {
          yield* checkFilter(wanted.topics)
          const peers = yield* checkPeer(wanted.peer)
          const states = yield* replication.states
          const at = yield* Clock.currentTimeMillis
          const events: Array<SyncStatusEvent> = [
            { _tag: "Peers", status: statusOf(node, at, peerStatuses(peers, states), wanted.peer) },
          ]
          if (wanted.logs !== "none") {
            const selected = states.filter(selector(wanted))
            for (let i = 0; i < selected.length; i += chunk) {
              events.push({ _tag: "Logs", logs: selected.slice(i, i + chunk) })
            }
          }
          return Stream.fromIterable(events)
        }),
      ),
    resolve: replication.resolve,
  })
}
