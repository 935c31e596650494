/** What is known of peers and of their logs, as tests want it: all is well, but for what they change. */
import type { PeerState, SyncState } from "../../src/replication/index.ts"

export const peerState = (changes: Partial<PeerState> = {}): PeerState => ({
  peer: "grpc://a:1",
  identity: { tenant: "t", line: "l", device: "a" },
  isTelling: true,
  isSyncing: false,
  lastAttemptAt: 1_000_000,
  lastSuccessAt: 1_000_000,
  failures: 0,
  failingSince: 0,
  lastError: undefined,
  isRefused: false,
  logs: 1,
  logsFailing: 0,
  logsQuarantined: 0,
  behind: 0,
  accepted: 0,
  ...changes,
})

export const logState = (changes: Partial<SyncState> = {}): SyncState => ({
  peer: "grpc://a:1",
  log: { topic: "orders", origin: { tenant: "t", line: "l", device: "a" } },
  localHead: 10,
  remoteHead: 10,
  syncedHead: 10,
  lastAttemptAt: 1_000_000,
  lastSuccessAt: 1_000_000,
  failures: 0,
  ...changes,
})
