/**
 * Errors of the database in the words that are shown to people.
 */
import type { SqlError } from "effect/sql/SqlError"

/** What the database says, where it has said something: a client's own words stand around that, or instead of it. */
export const sentence = (error: SqlError): string => {
  const cause: unknown = error.reason.cause
  return cause instanceof Error && cause.message !== "" ? cause.message : error.message
}

/** The same for somebody who may not know that there is a database. */
export const failureSentence = (error: SqlError): string =>
  error.reason._tag === "ConnectionError" ? `the database cannot be reached: ${sentence(error)}` : sentence(error)
