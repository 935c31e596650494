/**
 * Publications on durable topics: stored before they are delivered. What the exchange asks of the bridge.
 */
import type * as errors from "../domain/errors.ts"
import type { Member } from "./Member.ts"
import type { Outcome } from "./RoutingCore.ts"

/** How storing a publication fails. */
export type StoreFailure =
  | errors.WriteFailure
  | errors.Unavailable
  | errors.InvalidArgument
  | errors.NotPermitted
  | errors.MessageTooLarge
  | errors.KeyConflict

/** Called once with what became of a publication; with the store's failure where it was not stored. */
export type Settle = (outcome: Outcome, failure?: StoreFailure) => void

export interface StoreFirst {
  readonly isDurable: (topic: string) => boolean
  /** `settle` is called once, later. What is lent has been copied when this returns. */
  readonly publish: (
    from: Member,
    topic: string,
    payload: Uint8Array,
    isLent: boolean,
    isRealtime: boolean,
    settle: Settle,
  ) => void
}
