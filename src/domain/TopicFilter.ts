/**
 * A pattern over topics: `+` stands for any one part, a final `#` for any rest of at least one part.
 *
 * `a/+/c` matches `a/b/c`; `a/#` matches `a/b` and `a/b/c`, but not `a` (here we follow BUS/RT, not MQTT); what
 * follows a `#` is ignored. A filter whose first part is a wildcard never matches topics that begin with `$`. A topic
 * is also a filter, which matches that topic.
 */
import * as Schema from "effect/Schema"
import { nameProblem } from "./Name.ts"
import * as PathPattern from "./PathPattern.ts"
import { isReserved, topicBytesMax } from "./Topic.ts"

const syntax: PathPattern.Syntax = { separator: "/", one: "+", rest: "#" }

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
export const parts = (filter: string): ReadonlyArray<string> => PathPattern.parts(syntax, filter)

/** Whether the filter can match more than one topic. */
export const hasWildcard = (filter: string): boolean => PathPattern.hasWildcard(syntax, filter)

/** A function that tells whether a topic matches. Make it once, use it often. */
export const matcher = (filter: string): ((topic: string) => boolean) => {
  const matches = PathPattern.matcher(syntax, filter)
  const first = parts(filter)[0]
  return first === syntax.one || first === syntax.rest ? (topic) => !isReserved(topic) && matches(topic) : matches
}

/** Whether a topic matches a filter. */
export const matches = (filter: string, topic: string): boolean => matcher(filter)(topic)

export const TopicFilter = Schema.String.check(Schema.makeFilter((filter: string) => problem(filter)))
export type TopicFilter = string
