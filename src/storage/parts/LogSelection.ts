/**
 * Which logs are meant, and in which order they are listed.
 */
import type { LogHead, LogId } from "../../domain/LogId.ts"
import { equals, key as nodeKey } from "../../domain/NodeId.ts"
import { matcher } from "../../domain/TopicFilter.ts"
import { TopicTrie } from "../../domain/TopicTrie.ts"
import type { JournalFilter } from "../LogStore.ts"

/** Whose logs `LogStore.readJournal` is asked for. */
export type JournalFilters = JournalFilter | ReadonlyArray<JournalFilter>

export const isSeveral = (filters: JournalFilters): filters is ReadonlyArray<JournalFilter> => Array.isArray(filters)

/** A function that tells whether a log's messages pass the filter, or any of several. Make it once, use it often. */
export const logMatcher = (filters: JournalFilters): ((log: LogId) => boolean) => {
  if (!isSeveral(filters)) return matcherOf(filters)
  const trie = new TopicTrie<JournalFilter>()
  for (const filter of filters) trie.add(filter.topics, filter)
  return ({ origin, topic }) =>
    trie.match(topic).some((filter) => filter.origin === undefined || equals(filter.origin, origin))
}

const matcherOf = (filter: JournalFilter): ((log: LogId) => boolean) => {
  const { origin } = filter
  const matches = matcher(filter.topics)
  if (origin === undefined) return (log) => matches(log.topic)
  return (log) => equals(log.origin, origin) && matches(log.topic)
}

/** Tells filters from others, for what is remembered by filter. */
export const filtersKey = (filters: JournalFilters): string =>
  isSeveral(filters) ? JSON.stringify(filters.map(keyOf)) : keyOf(filters)

const keyOf = ({ origin, topics }: JournalFilter): string =>
  origin === undefined ? topics : `${topics}\0${nodeKey(origin)}`

/** The logs that hold messages, by topic, then origin, each part by its UTF-16 code units. */
export const sortHeads = (heads: ReadonlyArray<LogHead>): ReadonlyArray<LogHead> =>
  heads.filter((head) => head.offset > 0).toSorted(compareLogs)

const compareLogs = (a: LogId, b: LogId): number =>
  compareText(a.topic, b.topic) ||
  compareText(a.origin.tenant, b.origin.tenant) ||
  compareText(a.origin.line, b.origin.line) ||
  compareText(a.origin.device, b.origin.device)

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
