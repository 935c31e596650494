/**
 * Sets of offsets as ranges: sorted, neither overlapping nor touching. What a log remembers of its deletions.
 */
export interface OffsetRange {
  /** First offset in the range. */
  readonly first: number
  /** Last offset in the range. */
  readonly last: number
}

/** Whether a range of the set holds the offset. By binary search. */
export const contains = (ranges: ReadonlyArray<OffsetRange>, offset: number): boolean => {
  let low = 0
  let high = ranges.length - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const range = ranges[middle]!
    if (offset < range.first) high = middle - 1
    else if (offset > range.last) low = middle + 1
    else return true
  }
  return false
}

/** Whether the set holds everything in the range. */
export const covers = (ranges: ReadonlyArray<OffsetRange>, range: OffsetRange): boolean =>
  ranges.some((other) => other.first <= range.first && range.last <= other.last)

/** The set with a range added; ranges that overlap or touch become one. */
export const add = (ranges: ReadonlyArray<OffsetRange>, added: OffsetRange): ReadonlyArray<OffsetRange> => {
  let { first, last } = added
  const before: Array<OffsetRange> = []
  const after: Array<OffsetRange> = []
  for (const range of ranges) {
    if (range.last + 1 < first) before.push(range)
    else if (range.first > last + 1) after.push(range)
    else {
      first = Math.min(first, range.first)
      last = Math.max(last, range.last)
    }
  }
  return [...before, { first, last }, ...after]
}
