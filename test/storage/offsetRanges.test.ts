/** Sets of offsets as ranges. */
import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { add, contains, covers, type OffsetRange } from "../../src/storage/parts/OffsetRanges.ts"

const range = fc
  .tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 6 }))
  .map(([first, more]): OffsetRange => ({ first, last: first + more }))

describe("ranges of offsets", () => {
  it("hold what was added, and nothing else; sorted, apart from each other", () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), (added) => {
        const ranges = added.reduce<ReadonlyArray<OffsetRange>>(add, [])
        const isIn = (offset: number) => added.some(({ first, last }) => first <= offset && offset <= last)
        for (let offset = 0; offset <= 40; offset++) expect(contains(ranges, offset)).toBe(isIn(offset))
        for (const one of added) expect(covers(ranges, one)).toBe(true)
        ranges.slice(1).forEach(({ first }, i) => expect(first).toBeGreaterThan(ranges[i]!.last + 1))
      }),
    )
  })

  it("cover a range only as a whole", () => {
    const ranges = add([], { first: 3, last: 5 })
    expect(covers(ranges, { first: 3, last: 5 })).toBe(true)
    expect(covers(ranges, { first: 4, last: 6 })).toBe(false)
    expect(covers(ranges, { first: 2, last: 3 })).toBe(false)
  })
})
