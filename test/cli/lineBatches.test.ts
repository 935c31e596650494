import { describe, expect, it } from "vitest"
import { batches } from "../../src/cli/topics/lineBatches.ts"

const drafts = (...sizes: ReadonlyArray<number>) => sizes.map((size) => ({ topic: "a", payload: new Uint8Array(size) }))

const shapes = (found: ReturnType<typeof batches>) => found.map(({ firstLine, drafts }) => [firstLine, drafts.length])

describe("batches of lines", () => {
  it("are bounded in lines", () => {
    expect(shapes(batches(drafts(...Array.from({ length: 2500 }, () => 1)), 11))).toEqual([
      [11, 1000],
      [1011, 1000],
      [2011, 500],
    ])
  })

  it("are bounded in bytes, but take at least one line", () => {
    const mebibyte = 1024 * 1024
    expect(shapes(batches(drafts(1, mebibyte, 5 * mebibyte, 1, mebibyte - 1, 1), 1))).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
      [4, 2],
      [6, 1],
    ])
    expect(batches([], 1)).toEqual([])
  })
})
