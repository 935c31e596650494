/**
 * The table of deleted ranges: what logs remember of their deletions, for messages still to come. Ranges of a log neither
 * overlap nor touch.
 */
import { add as addTo, covers, type OffsetRange } from "../parts/OffsetRanges.ts"
import type { Tables } from "./Environment.ts"
import { long, place, readLong, readPlace } from "./Layout.ts"

/** The ranges of a log that reach into another one. */
export const between = ({ deleted }: Tables, log: number, { first, last }: OffsetRange): ReadonlyArray<OffsetRange> => {
  // Of those that begin before it only the last can reach into it.
  const from = deleted.lastKey(place(log, 0), place(log, first)) ?? place(log, first)
  const ranges: Array<OffsetRange> = []
  for (const { key, value } of deleted.rows(from, place(log, last + 1))) {
    const range = { first: readPlace(key).at, last: readLong(value) }
    if (range.last >= first) ranges.push(range)
  }
  return ranges
}

/** Remembers a range; those that overlap or touch become one. Within a transaction. */
export const add = (tables: Tables, log: number, range: OffsetRange): void => {
  // One more offset at either end, for ranges that touch.
  const near = between(tables, log, { first: Math.max(range.first - 1, 0), last: range.last + 1 })
  if (covers(near, range)) return
  for (const { first } of near) tables.deleted.remove(place(log, first))
  for (const { first, last } of addTo(near, range)) tables.deleted.put(place(log, first), long(last))
}
