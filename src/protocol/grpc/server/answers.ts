/**
 * What a node may answer: each call fails with the errors of its operation, and with no other.
 */
import * as Effect from "effect/Effect"
import { Unavailable } from "../../../domain/errors.ts"
import type { BusError } from "../codec/errorCodec.ts"

/** What any call can be answered with. */
type Always = "AccessDenied" | "Unavailable"

/**
 * Lets through the errors that a call can have, `AccessDenied` and `Unavailable`: a node that answers with another is not
 * to be understood.
 */
export const only =
  <Tag extends Exclude<BusError["_tag"], Always>>(...tags: ReadonlyArray<Tag>) =>
  <A, R>(
    effect: Effect.Effect<A, BusError, R>,
  ): Effect.Effect<A, Extract<BusError, { readonly _tag: Tag | Always }>, R> =>
    Effect.mapError(effect, (error) =>
      error._tag === "Unavailable" || error._tag === "AccessDenied" || tags.some((tag) => tag === error._tag)
        ? (error as Extract<BusError, { readonly _tag: Tag | Always }>)
        : new Unavailable({ message: `the node gave an answer that does not belong here: ${error.message}` }),
    )
