/** How far this node is with a log of a peer. */
import type { LogId } from "../domain/LogId.ts"

export interface SyncState {
  /** The peer's name. */
  readonly peer: string
  readonly log: LogId
  /** The last offset here, and at the peer, when they were looked at last; 0 where there is none. */
  readonly localHead: number
  readonly remoteHead: number
  /** The last offset that was got from it. */
  readonly syncedHead: number
  /** Milliseconds since 1970; 0 where it never was. */
  readonly lastAttemptAt: number
  readonly lastSuccessAt: number
  /** Attempts in a row that have failed. */
  readonly failures: number
  /** Why the last attempt failed; undefined where it did not. */
  readonly lastError: string | undefined
}
