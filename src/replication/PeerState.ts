/** How it stands with a peer as a whole. */
import type { NodeId } from "../domain/NodeId.ts"

export interface PeerState {
  /** The peer's name. */
  readonly peer: string
  /** Who it said that it is, when it was asked last; undefined where it never answered. */
  readonly identity: NodeId | undefined
  /** Whether it tells by itself what moves, now; otherwise it is asked at intervals. */
  readonly isTelling: boolean
  /** Whether something is being got from it now. */
  readonly isSyncing: boolean
  /** Milliseconds since 1970; 0 where it never was. */
  readonly lastAttemptAt: number
  readonly lastSuccessAt: number
  /** Attempts in a row that have failed as a whole: it was not there, or is not who it should be. */
  readonly failures: number
  /** When they began to fail; 0 where they do not. */
  readonly failingSince: number
  /** Why the last attempt failed; undefined where it did not. */
  readonly lastError: string | undefined
  /** Whether it failed because it is not who it should be. */
  readonly isRefused: boolean
  /** Logs that it has and that are looked at. */
  readonly logs: number
  /** … of which something is wrong with so many, without those that somebody has decided about. */
  readonly logsFailing: number
  /** … and whose copies differ in so many, without those that somebody has decided about. */
  readonly logsQuarantined: number
  /** Messages that it has and this node has not. */
  readonly behind: number
  /** Messages got from it since the node started. */
  readonly accepted: number
}
