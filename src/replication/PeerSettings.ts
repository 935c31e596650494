/** What is agreed on with a peer, and how it is asked. Sizes in bytes, times in milliseconds. */
import type { NodeId } from "../domain/NodeId.ts"

export interface PeerSettings {
  /** Who it has to be; absent: anybody but this node. */
  readonly identity: NodeId | undefined
  /** Whose logs are taken from it; absent: everybody's. A peer can forge the log of each of them. */
  readonly origins: ReadonlyArray<NodeId> | undefined
  /** Messages of one fetch, where the peer has no number of its own. */
  readonly batch: number
  /** The largest message that is taken. */
  readonly messageBytesMax: number
  /** Logs that it may list. */
  readonly logsMax: number
  /** Between two looks at all that it has, where it can only be asked. */
  readonly intervalMillis: number
  /** … and where it tells what moves by itself: what it has told is a hint, and may be lost. */
  readonly relistMillis: number
  /** Until a peer that is not there is tried again, at most: it is taken up again soon after it has come back. */
  readonly retryMillisMax: number
  /** Until what was refused is tried again, at most: it stays wrong until somebody does something about it. */
  readonly backoffMillisMax: number
  /**
   * Whether this node's own logs are filled from the peer at first, where that has more of them. Without it they are only
   * where the store has never been in step with the peer, as after a loss of the disk. In any case the peer has to have an
   * `identity`.
   */
  readonly heals: boolean
}

export const defaultPeerSettings: PeerSettings = {
  identity: undefined,
  origins: undefined,
  batch: 100,
  messageBytesMax: 3.5 * 1024 * 1024,
  logsMax: 100_000,
  intervalMillis: 1000,
  relistMillis: 30_000,
  retryMillisMax: 500,
  backoffMillisMax: 30_000,
  heals: false,
}
