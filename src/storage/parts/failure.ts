/**
 * What a failed call of a store means to whoever made it.
 */
import * as Cause from "effect/Cause"
import { OutcomeUnknown } from "../../domain/errors.ts"

/** The typed error of a failed write. A defect of the store leaves the outcome unknown. */
export const failureOf = <E>(cause: Cause.Cause<E>, operation: string): E | OutcomeUnknown => {
  const failure = Cause.findErrorOption(cause)
  return failure._tag === "Some"
    ? failure.value
    : new OutcomeUnknown({ operation, message: `the store failed unexpectedly: ${Cause.pretty(cause)}` })
}
