import { describe, expect, it } from "vitest"
import { render } from "../../src/cli/io/Progress.ts"

describe("Progress", () => {
  it("shows count and rate, and a bar where the total is known", () => {
    expect(render("published", 12_000, undefined, 2000)).toBe("published 12,000 · 6,000/s")
    expect(render("fetched", 500, 1000, 1000)).toBe(
      `fetched [${"█".repeat(12)}${"░".repeat(12)}] 50% · 500 of 1,000 · 500/s`,
    )
  })

  it("stays within the bar when there is more than was expected, and with nothing done", () => {
    expect(render("fetched", 3, 2, 1000)).toContain("100%")
    expect(render("fetched", 0, 2, 0)).toContain("0% · 0 of 2 · 0/s")
    expect(render("fetched", 0, 0, 0)).toBe("fetched 0 · 0/s")
  })
})
