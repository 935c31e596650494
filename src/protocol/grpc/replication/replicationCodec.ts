/**
 * How a node stands with its peers, in millrace.v1, there and back.
 */
import * as Option from "effect/Option"
import type { LogId } from "../../../domain/LogId.ts"
import type {
  Keep,
  LogSelection,
  PeerStatus,
  Resolution,
  StatusWanted,
  SyncState,
  SyncStatus,
  SyncStatusEvent,
} from "../../../replication/index.ts"
import * as codec from "../codec/codec.ts"
import type {
  GetStatusRequest,
  GetStatusResponse,
  LogState as LogMessage,
  PeerState as PeerMessage,
  ResolveResponse,
  SyncStatus as StatusMessage,
} from "../gen/millrace/v1/replication_pb.ts"

/** A counter or a time as a uint64; what comes of a peer need not be one. */
const whole = (value: number): bigint => BigInt(Math.max(0, Math.round(value)))

export const requestOf = ({ logs, origin, peer, topics }: StatusWanted): GetStatusRequest => ({
  $typeName: "millrace.v1.GetStatusRequest",
  logs: logs === "none" ? "" : logs,
  ...(peer === undefined ? {} : { peer }),
  ...(topics === undefined ? {} : { topics }),
  ...(origin === undefined ? {} : { origin: codec.nodeMessage(origin) }),
})

/** Which logs a request asks for; none where it says what we do not know. */
export const selectionOf = (logs: string): Option.Option<LogSelection> => {
  if (logs === "") return Option.some("none")
  return logs === "troubled" || logs === "all" ? Option.some(logs) : Option.none()
}

const peerMessage = ({ identity, lastError, ...state }: PeerStatus): PeerMessage => ({
  $typeName: "millrace.v1.PeerState",
  peer: state.peer,
  ...(identity === undefined ? {} : { identity: codec.nodeMessage(identity) }),
  telling: state.isTelling,
  syncing: state.isSyncing,
  lastAttemptAtMs: whole(state.lastAttemptAt),
  lastSuccessAtMs: whole(state.lastSuccessAt),
  failures: state.failures,
  failingSinceMs: whole(state.failingSince),
  ...(lastError === undefined ? {} : { lastError: lastError.toWellFormed() }),
  logs: whole(state.logs),
  logsBehind: whole(state.logsBehind),
  behind: whole(state.behind),
  logsFailing: whole(state.logsFailing),
  logsQuarantined: whole(state.logsQuarantined),
  accepted: whole(state.accepted),
  refused: state.isRefused,
})

const plainPeer = (message: PeerMessage): PeerStatus => ({
  peer: message.peer,
  identity: message.identity === undefined ? undefined : codec.plainNode(message.identity),
  isTelling: message.telling,
  isSyncing: message.syncing,
  lastAttemptAt: Number(message.lastAttemptAtMs),
  lastSuccessAt: Number(message.lastSuccessAtMs),
  failures: message.failures,
  failingSince: Number(message.failingSinceMs),
  lastError: message.lastError,
  logs: Number(message.logs),
  logsBehind: Number(message.logsBehind),
  behind: Number(message.behind),
  logsFailing: Number(message.logsFailing),
  logsQuarantined: Number(message.logsQuarantined),
  accepted: Number(message.accepted),
  isRefused: message.refused,
})

const statusMessage = ({ at, node, peers, totals }: SyncStatus): StatusMessage => ({
  $typeName: "millrace.v1.SyncStatus",
  node: codec.nodeMessage(node),
  atMs: whole(at),
  peers: peers.map(peerMessage),
  totals: {
    $typeName: "millrace.v1.SyncTotals",
    peers: totals.peers,
    failing: totals.failing,
    behind: whole(totals.behind),
    logsQuarantined: whole(totals.logsQuarantined),
  },
})

const plainStatus = ({ atMs, node, peers, totals }: StatusMessage): SyncStatus => ({
  node: codec.plainNode(node),
  at: Number(atMs),
  peers: peers.map(plainPeer),
  totals: {
    peers: totals?.peers ?? 0,
    failing: totals?.failing ?? 0,
    behind: Number(totals?.behind ?? 0),
    logsQuarantined: Number(totals?.logsQuarantined ?? 0),
  },
})

const logMessage = ({ lastError, log, peer, quarantine, ...state }: SyncState): LogMessage => ({
  $typeName: "millrace.v1.LogState",
  peer,
  // What a peer lists need not be well-formed.
  log: { $typeName: "millrace.v1.Log", topic: log.topic.toWellFormed(), origin: codec.nodeMessage(log.origin) },
  localHead: whole(state.localHead),
  remoteHead: whole(state.remoteHead),
  syncedHead: whole(state.syncedHead),
  lastAttemptAtMs: whole(state.lastAttemptAt),
  lastSuccessAtMs: whole(state.lastSuccessAt),
  failures: state.failures,
  ...(lastError === undefined ? {} : { lastError: lastError.toWellFormed() }),
  ...(quarantine === undefined
    ? {}
    : {
        quarantine: {
          $typeName: "millrace.v1.Quarantine",
          offset: whole(quarantine.offset),
          sinceMs: whole(quarantine.since),
          kept: quarantine.isKept,
        },
      }),
})

const plainLog = (message: LogMessage): SyncState => ({
  peer: message.peer,
  log: { topic: message.log?.topic ?? "", origin: codec.plainNode(message.log?.origin) },
  localHead: Number(message.localHead),
  remoteHead: Number(message.remoteHead),
  syncedHead: Number(message.syncedHead),
  lastAttemptAt: Number(message.lastAttemptAtMs),
  lastSuccessAt: Number(message.lastSuccessAtMs),
  failures: message.failures,
  ...(message.lastError === undefined ? {} : { lastError: message.lastError }),
  ...(message.quarantine === undefined
    ? {}
    : {
        quarantine: {
          offset: Number(message.quarantine.offset),
          since: Number(message.quarantine.sinceMs),
          isKept: message.quarantine.kept,
        },
      }),
})

export const statusResponse = (event: SyncStatusEvent): GetStatusResponse => ({
  $typeName: "millrace.v1.GetStatusResponse",
  event:
    event._tag === "Peers"
      ? { case: "status", value: statusMessage(event.status) }
      : { case: "logs", value: { $typeName: "millrace.v1.LogStates", logs: event.logs.map(logMessage) } },
})

/** An event of a node that we trust; none where it says what we do not know. */
export const statusEvent = ({ event }: GetStatusResponse): Option.Option<SyncStatusEvent> => {
  switch (event.case) {
    case "status":
      return Option.some({ _tag: "Peers", status: plainStatus(event.value) })
    case "logs":
      return Option.some({ _tag: "Logs", logs: event.value.logs.map(plainLog) })
    default:
      return Option.none()
  }
}

export const resolveResponse = ({ differedFrom, peers, ...done }: Resolution): ResolveResponse => ({
  $typeName: "millrace.v1.ResolveResponse",
  peers: [...peers],
  ...(differedFrom === undefined ? {} : { differedFrom: whole(differedFrom) }),
  discarded: whole(done.discarded),
  accepted: whole(done.accepted),
  head: whole(done.head),
})

/** What became of a log that was asked about. */
export const resolution = (log: LogId, keep: Keep, message: ResolveResponse): Resolution => ({
  log,
  keep,
  peers: message.peers,
  differedFrom: message.differedFrom === undefined ? undefined : Number(message.differedFrom),
  discarded: Number(message.discarded),
  accepted: Number(message.accepted),
  head: Number(message.head),
})
