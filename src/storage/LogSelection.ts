/**
 * Which logs are meant, and in which order they are listed.
 */
import type { LogHead, LogId } from "../domain/LogId.ts"
import { equals } from "../domain/NodeId.ts"
import { matcher } from "../domain/TopicFilter.ts"
import type { JournalFilter } from "./LogStore.ts"

/** A function that tells whether a log's messages pass the filter. Make it once, use it often. */
export const logMatcher = (filter: JournalFilter): ((log: LogId) => boolean) => {
  const { origin } = filter
  const matches = matcher(filter.topics)
  if (origin === undefined) return (log) => matches(log.topic)
  return (log) => equals(log.origin, origin) && matches(log.topic)
}

/** The logs that hold messages, by topic, then origin, each part by its UTF-16 code units. */
export const sortHeads = (heads: ReadonlyArray<LogHead>): ReadonlyArray<LogHead> =>
  heads.filter((head) => head.offset > 0).toSorted(compareLogs)

const compareLogs = (a: LogId, b: LogId): number =>
  compareText(a.topic, b.topic) ||
  compareText(a.origin.tenant, b.origin.tenant) ||
  compareText(a.origin.line, b.origin.line) ||
  compareText(a.origin.device, b.origin.device)

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
