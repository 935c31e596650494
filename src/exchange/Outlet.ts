/**
 * Where the frames for a client go: its socket's buffer, or its inbox in this process. Bounded in frames and bytes.
 * Called by the routing core on its hot path: nothing here waits, and nothing throws. While it takes a frame or flushes,
 * an outlet may say that its client has left, and do nothing else with the core.
 */
import type { LiveFrame } from "./LiveFrame.ts"

/** Why a client is no longer connected. */
export type LeaveReason =
  /** It said so itself, or its connection ended. */
  | "left"
  /** Its buffer was full, and its policy says so. */
  | "overflow"
  /** Another client took its name by force. */
  | "replaced"
  /** The primary that it belongs to is gone. */
  | "primaryGone"
  /** Its access rules changed, or an operator said so. */
  | "revoked"
  /** Nothing was heard of it for too long. */
  | "silent"
  /** The exchange is closed. */
  | "shutdown"

export const leaveWords: Readonly<Record<LeaveReason, string>> = {
  left: "it left",
  overflow: "its buffer was full, for it did not read what came",
  replaced: "another client took its name by force",
  primaryGone: "its primary client is gone",
  revoked: "its access was revoked",
  silent: "nothing was heard of it for too long",
  shutdown: "the exchange is closed",
}

export interface Outlet {
  /** Takes a frame, or says that there is no room. What is lent in it has been copied when this returns. */
  readonly offer: (frame: LiveFrame) => boolean
  /** Hands on what was taken since the last time. */
  readonly flush: () => void
  /** Ends the connection. Called once, after the client has been taken out of the exchange. */
  readonly close: (reason: LeaveReason) => void
  /** Frames that wait to be taken by the kernel, or by the inbox's reader. */
  readonly queued: () => number
  /** Whether its senders should wait before they go on (`Patience`). */
  readonly isCrowded: () => boolean
  /** Calls back once, when they need not wait any longer. */
  readonly whenEased: (resume: () => void) => void
}

/** What happens to a client whose buffer is full: it is disconnected, as in BUS/RT, or what is newest is dropped. */
export type OverflowPolicy = "disconnect" | "dropNewest"
