/**
 * What is wrong with a pattern in access rules, as a sentence without a full stop, or `undefined`.
 *
 * Stricter than where patterns are subscribed to: what would be allowed there and mean something else than it looks like
 * is refused here, because a rule that is read wrongly lets somebody in.
 */
import { clientNameBytesMax, isSecondary } from "../domain/ClientName.ts"
import { filterPartsMax } from "../domain/LiveTopic.ts"
import { nameProblem } from "../domain/Name.ts"
import * as NameMask from "../domain/NameMask.ts"
import { depthProblem } from "../domain/PathPattern.ts"
import * as TopicFilter from "../domain/TopicFilter.ts"
import { topicBytesMax } from "../domain/Topic.ts"
import { adminOperations, type ObjectKind } from "./Verb.ts"

const restProblem = (rest: string, separator: string, pattern: string): string | undefined => {
  const at = pattern.split(separator).indexOf(rest)
  return at !== -1 && at < pattern.split(separator).length - 1
    ? `${JSON.stringify(rest)} stands for any rest, so nothing follows it, as in ${JSON.stringify(pattern)}`
    : undefined
}

const filterProblem = (what: string, filter: string): string | undefined =>
  nameProblem(what, filter, topicBytesMax) ??
  TopicFilter.problem(filter) ??
  depthProblem(what, "/", filter, filterPartsMax) ??
  restProblem("#", "/", filter)

const maskProblem = (mask: string): string | undefined =>
  nameProblem("name mask", mask, clientNameBytesMax) ??
  NameMask.problem(mask) ??
  restProblem("*", ".", mask) ??
  mask
    .split(".")
    .filter((part) => part.length > 1 && /[?*]/.test(part))
    .map((part) => `"?" and "*" must stand alone between dots, not as in ${JSON.stringify(part)}`)[0]

const nameMaskProblem = (mask: string): string | undefined =>
  maskProblem(mask) ??
  (isSecondary(mask)
    ? `a secondary client goes with its primary, which is written without "%%", unlike ${JSON.stringify(mask)}`
    : undefined)

const operationProblem = (operation: string): string | undefined =>
  adminOperations.some((known) => known === operation)
    ? undefined
    : `an operation is one of ${adminOperations.join(", ")}, not ${JSON.stringify(operation)}`

export const patternProblem = (kind: ObjectKind, pattern: string): string | undefined => {
  switch (kind) {
    case "name":
      return nameMaskProblem(pattern)
    case "mask":
      return maskProblem(pattern)
    case "topic":
    case "filter":
      return filterProblem("topic filter", pattern)
    case "queue":
      return filterProblem("queue filter", pattern)
    case "operation":
      return operationProblem(pattern)
  }
}

const path = "^(?:(?:\\+|[^+#/]*)/)*(?:\\+|#|[^+#/]*)$"
const dotted = "^(?:(?:\\?|[^?*.]*)\\.)*(?:\\?|\\*|[^?*.]*)$"

/** The same for other programs, as far as a regular expression can say it. */
export const expressions: Readonly<Record<ObjectKind, string | undefined>> = {
  name: dotted,
  mask: dotted,
  topic: path,
  filter: path,
  queue: path,
  operation: `^(?:${adminOperations.join("|")})$`,
}
