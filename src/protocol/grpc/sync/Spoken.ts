/**
 * A peer in one of the protocols that it may speak.
 */
import type * as Effect from "effect/Effect"
import type { NodeId } from "../../../domain/NodeId.ts"
import type { Peer, PeerUnreachable } from "../../../replication/index.ts"

export interface Spoken<E = never> extends Pick<Peer, "heads" | "fetch" | "moved"> {
  /** Fails with `E` where it does not speak it. */
  readonly identity: Effect.Effect<NodeId, PeerUnreachable | E>
  /** How many messages one fetch may ask for; undefined: what the settings say. */
  readonly fetchMax: number | undefined
}
