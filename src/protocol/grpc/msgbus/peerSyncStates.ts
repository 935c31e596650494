/**
 * What `ListPeerSyncStates` answers. The contract knows logs of peers and nothing of a peer as a whole: where a peer fails,
 * each of its logs does, for the same reason, as often, and since the same attempt. A peer that has never answered has no
 * log to say it of; `millrace.v1` says it.
 */
import type { PeerState, SyncState } from "../../../replication/index.ts"
import * as codec from "../codec/codec.ts"
import type { PeerSyncState } from "../gen/msgbus/v1/msgbus_pb.ts"

const message = ({ log, peer, ...state }: SyncState, whole: PeerState | undefined): PeerSyncState => {
  const fails = whole !== undefined && whole.failures > 0
  return {
    $typeName: "msgbus.v1.PeerSyncState",
    peer,
    topic: log.topic,
    origin: codec.msgbusNode(log.origin),
    localHead: BigInt(state.localHead),
    remoteHead: BigInt(state.remoteHead),
    lastSyncedHead: BigInt(state.syncedHead),
    lastAttemptAtMs: BigInt(fails ? Math.max(state.lastAttemptAt, whole.lastAttemptAt) : state.lastAttemptAt),
    lastSuccessAtMs: BigInt(state.lastSuccessAt),
    consecutiveFailures: fails ? Math.max(state.failures, whole.failures) : state.failures,
    lastError: (fails ? whole.lastError : undefined) ?? state.lastError ?? "",
  }
}

export const peerSyncStates = (
  peers: ReadonlyArray<PeerState>,
  states: ReadonlyArray<SyncState>,
): Array<PeerSyncState> => {
  const wholes = new Map(peers.map((peer) => [peer.peer, peer]))
  return states.map((state) => message(state, wholes.get(state.peer)))
}
