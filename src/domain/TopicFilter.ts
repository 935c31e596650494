/**
 * A pattern over topics: `+` stands for any one part, a final `#` for any rest of at least one part.
 *
 * `a/+/c` matches `a/b/c`; `a/#` matches `a/b` and `a/b/c`, but not `a` (here we follow BUS/RT, not MQTT); what
 * follows a `#` is ignored. A filter whose first part is a wildcard never matches topics that begin with `$`. A topic
 * is also a filter, which matches that topic.
 */
import * as Schema from "effect/Schema"
import { nameProblem } from "./Name.ts"
import { isReserved, topicBytesMax } from "./Topic.ts"

/** What is wrong with a filter, as a sentence without a full stop, or `undefined`. */
export const problem = (filter: string): string | undefined => {
  const wrong = nameProblem("topic filter", filter, topicBytesMax)
  if (wrong !== undefined) return wrong
  for (const part of parts(filter)) {
    if (part.length > 1 && (part.includes("+") || part.includes("#"))) {
      return `"+" and "#" must stand alone between slashes, not as in ${JSON.stringify(part)}`
    }
  }
  return undefined
}

/** The parts of a filter up to and with its first `#`. */
export const parts = (filter: string): ReadonlyArray<string> => {
  const all = filter.split("/")
  const rest = all.indexOf("#")
  return rest === -1 ? all : all.slice(0, rest + 1)
}

/** Whether the filter can match more than one topic. */
export const hasWildcard = (filter: string): boolean => parts(filter).some((part) => part === "+" || part === "#")

/** A function that tells whether a topic matches. Make it once, use it often. */
export const matcher = (filter: string): ((topic: string) => boolean) => {
  const pattern = parts(filter)
  const first = pattern[0]
  if (!hasWildcard(filter)) return (topic) => topic === filter
  const startsWild = first === "+" || first === "#"
  const endsInRest = pattern[pattern.length - 1] === "#"
  const fixed = endsInRest ? pattern.length - 1 : pattern.length
  return (topic) => {
    if (startsWild && isReserved(topic)) return false
    const names = topic.split("/")
    if (endsInRest ? names.length <= fixed : names.length !== fixed) return false
    for (let i = 0; i < fixed; i++) {
      if (pattern[i] !== "+" && pattern[i] !== names[i]) return false
    }
    return true
  }
}

/** Whether a topic matches a filter. */
export const matches = (filter: string, topic: string): boolean => matcher(filter)(topic)

export const TopicFilter = Schema.String.check(Schema.makeFilter((filter: string) => problem(filter)))
export type TopicFilter = string
