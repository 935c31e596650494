/** What is remembered of a peer beside its logs, also when the node is started again. */
import * as Schema from "effect/Schema"
import { NodeId } from "../../domain/NodeId.ts"

export const PeerMemory = Schema.Struct({
  /** Who it said that it is, when it was asked last. */
  identity: Schema.optional(NodeId),
  /** Milliseconds since 1970; 0 where it never was. */
  lastSuccessAt: Schema.Int,
  /** Passes in a row that were broken off. */
  failures: Schema.Int,
  /** When they began to be; 0 where they are not. */
  failingSince: Schema.Int,
  lastError: Schema.optional(Schema.String),
  /** The last one was, because it is not who it should be. */
  isRefused: Schema.Boolean,
  /** Which incarnation of the store here has been in step with it. */
  inStepWith: Schema.String,
})
export type PeerMemory = typeof PeerMemory.Type

export const nothing: PeerMemory = { lastSuccessAt: 0, failures: 0, failingSince: 0, isRefused: false, inStepWith: "" }
