/**
 * What a node may answer: each call fails with the errors of its operation, and with no other.
 */
import * as Effect from "effect/Effect"
import { Unavailable } from "../../domain/errors.ts"
import type { BusError } from "./errorCodec.ts"

/** Rules out the errors that a call cannot have: a node that answers with one is not to be understood. */
export const never =
  <Tag extends Exclude<BusError["_tag"], "Unavailable">>(...tags: ReadonlyArray<Tag>) =>
  <A>(effect: Effect.Effect<A, BusError>): Effect.Effect<A, Exclude<BusError, { readonly _tag: Tag }> | Unavailable> =>
    Effect.mapError(effect, (error) =>
      tags.some((tag) => tag === error._tag)
        ? new Unavailable({ message: `the node gave an answer that does not belong here: ${error.message}` })
        : (error as Exclude<BusError, { readonly _tag: Tag }>),
    )
