/**
 * What happens to a client's connection while something waits for it: for whoever wants to tell a user.
 */

interface Common {
  /** What waits: a subscription, a consumer or a taker that goes on afterwards, or publishes with keys that are sent again. */
  readonly of: "subscription" | "consumer" | "taker" | "publish"
  readonly url: string
}

/** Times in milliseconds; attempts are counted from 1, since the connection was lost. */
export type ReconnectEvent = Common &
  (
    | { readonly _tag: "Lost"; readonly reason: string }
    | { readonly _tag: "Retrying"; readonly attempt: number; readonly delayMillis: number }
    | { readonly _tag: "Restored"; readonly attempts: number }
  )
