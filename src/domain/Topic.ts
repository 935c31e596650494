/**
 * A topic: the name of a durable sequence of messages, as a path of parts between slashes, `orders/eu/placed`.
 *
 * Rules: not blank, no NUL, well-formed Unicode, at most 1,024 bytes of UTF-8, no `+` and no `#` (they are the
 * wildcards of a `TopicFilter`). Topics that begin with `$` belong to the bus: applications read them and do not
 * write them.
 */
import * as Schema from "effect/Schema"
import { nameProblem } from "./Name.ts"

/** The longest topic, in bytes of UTF-8. */
export const topicBytesMax = 1024

/** Where the markers of deleted ranges are kept, one log for each node that deletes. */
export const deleteMarkers = "$msgbus.delete"

/** What is wrong with a topic, as a sentence without a full stop, or `undefined`. */
export const problem = (topic: string): string | undefined =>
  nameProblem("topic", topic, topicBytesMax) ??
  (topic.includes("+") || topic.includes("#")
    ? `a topic must not contain "+" or "#", which are the wildcards of filters: ${JSON.stringify(topic)}`
    : undefined)

/** Whether only the bus itself writes to the topic. */
export const isReserved = (topic: string): boolean => topic.startsWith("$")

export const Topic = Schema.String.check(Schema.makeFilter((topic: string) => problem(topic)))
export type Topic = string
