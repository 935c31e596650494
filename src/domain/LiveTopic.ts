/**
 * Topics and filters as the live plane has them. They are those of the durable plane (`Topic`, `TopicFilter`) but for
 * this: every topic can be published to, a leading wildcard also matches topics that begin with `$` or with `.`, as
 * `.broker/info`, and a wildcard beside other characters is no wildcard but stands for itself, as in BUS/RT.
 *
 * Many filters are matched at once by a `TopicTrie` for the live plane.
 */
import { nameProblem } from "./Name.ts"
import * as PathPattern from "./PathPattern.ts"
import { topicBytesMax } from "./Topic.ts"

const syntax: PathPattern.Syntax = { separator: "/", one: "+", rest: "#" }

/** The most parts of a filter: looking up a topic costs no more than this many steps for each way through a trie. */
export const filterPartsMax = 64

/** The filter without what follows its `#`, which is ignored: the one spelling of all that mean the same. */
export const canonical = (filter: string): string =>
  filter.includes(syntax.rest) ? PathPattern.parts(syntax, filter).join(syntax.separator) : filter

/** What is wrong with a topic to publish to, as a sentence without a full stop, or `undefined`. */
export const problem = (topic: string): string | undefined => nameProblem("topic", topic, topicBytesMax)

/** What is wrong with a filter to subscribe to, as a sentence without a full stop, or `undefined`. */
export const filterProblem = (filter: string): string | undefined =>
  nameProblem("topic filter", filter, topicBytesMax) ??
  PathPattern.depthProblem("topic filter", syntax.separator, filter, filterPartsMax)

/** Whether the filter can match more than one topic. */
export const hasWildcard = (filter: string): boolean => PathPattern.hasWildcard(syntax, filter)

/** A function that tells whether a topic matches. Make it once, use it often. */
export const matcher = (filter: string): ((topic: string) => boolean) => PathPattern.matcher(syntax, filter)

/** Whether a topic matches a filter. */
export const matches = (filter: string, topic: string): boolean => matcher(filter)(topic)

/**
 * A function that tells whether a filter matches nothing but what this one does. It holds for the durable plane as well:
 * there a filter matches the same or less. Make it once, use it often.
 */
export const container = (filter: string): ((inner: string) => boolean) => PathPattern.container(syntax, filter)
