/** What is agreed on with a peer, and how it is asked. Sizes in bytes, times in milliseconds. */
import type { NodeId } from "../domain/NodeId.ts"

export interface PeerSettings {
  /** Who it has to be; absent: anybody but this node. */
  readonly identity: NodeId | undefined
  /** Whose logs are taken from it; absent: everybody's. A peer can forge the log of each of them. */
  readonly origins: ReadonlyArray<NodeId> | undefined
  /** Messages of one fetch. */
  readonly batch: number
  /** The largest message that is taken. */
  readonly messageBytesMax: number
  /** Between two passes where all is well. */
  readonly intervalMillis: number
  /** Between two passes where nothing goes well, at most. */
  readonly backoffMillisMax: number
}

export const defaultPeerSettings: PeerSettings = {
  identity: undefined,
  origins: undefined,
  batch: 100,
  messageBytesMax: 3.5 * 1024 * 1024,
  intervalMillis: 1000,
  backoffMillisMax: 30_000,
}
