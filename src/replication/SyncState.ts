/** How far this node is with a log of a peer. */
import * as Schema from "effect/Schema"
import { LogId } from "../domain/LogId.ts"

const Offset = Schema.Int
const Millis = Schema.Int

/** The copies of a log differ: nothing more of it is taken from this peer until they agree, or somebody has decided. */
export const Quarantine = Schema.Struct({
  /** The first offset that is known to differ. */
  offset: Offset,
  since: Millis,
  /** Somebody has decided that what is here is right: it stays as it is, and is no alarm any more. */
  isKept: Schema.Boolean,
})
export type Quarantine = typeof Quarantine.Type

export const SyncState = Schema.Struct({
  /** The peer's name. */
  peer: Schema.String,
  log: LogId,
  /** The last offset here, and at the peer, when they were looked at last; 0 where there is none. */
  localHead: Offset,
  remoteHead: Offset,
  /** The last offset that was got from it, or compared with it. */
  syncedHead: Offset,
  /** Milliseconds since 1970; 0 where it never was. */
  lastAttemptAt: Millis,
  lastSuccessAt: Millis,
  /** Attempts in a row that have failed. */
  failures: Schema.Int,
  /** Why the last attempt failed; undefined where it did not. */
  lastError: Schema.optional(Schema.String),
  quarantine: Schema.optional(Quarantine),
})
export type SyncState = typeof SyncState.Type
