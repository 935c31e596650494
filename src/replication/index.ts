/** Replication: getting from other nodes what this one has not. */
export * from "./errors.ts"
export * from "./Peer.ts"
export * from "./PeerSettings.ts"
export * from "./Replication.ts"
export type { PeerState } from "./PeerState.ts"
export type { ResolveFailure } from "./internal/resolving.ts"
export type { Keep, Resolution } from "./Resolution.ts"
export type { Quarantine, SyncState } from "./SyncState.ts"
