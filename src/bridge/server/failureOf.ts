import * as Cause from "effect/Cause"
import * as Option from "effect/Option"

/** What an effect failed with; nothing where it was interrupted, or has a defect. */
export const failureOf = <E>(cause: Cause.Cause<E>): E | undefined =>
  Option.getOrUndefined(Cause.findErrorOption(cause))
