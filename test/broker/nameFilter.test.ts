/** The patterns that names are filtered by: as JavaScript has them, and in a time that no pattern can stretch. */
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { NameFilter } from "../../src/broker/internal/nameFilter.ts"

const finds = (pattern: string, name: string): boolean | undefined =>
  Result.getOrThrow(NameFilter.make(pattern)).finds(name)

const pattern: fc.Arbitrary<string> = fc.letrec<{ choice: string; sequence: string; part: string }>((tie) => ({
  choice: fc.oneof(
    { maxDepth: 4 },
    tie("sequence"),
    fc.tuple(tie("sequence"), tie("choice")).map((a) => a.join("|")),
  ),
  sequence: fc.array(tie("part"), { maxLength: 4 }).map((parts) => parts.join("")),
  part: fc
    .tuple(
      fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom("a", "b", ".", "\\.", "[ab]", "[^a]", "[a-c]", "\\w", "\\D", "[\\d.]", "[^\\w]", "😀", "[-a]"),
        fc.constantFrom("^", "$").map((anchor) => `(${anchor})`),
        tie("choice").map((inner) => `(${inner})`),
        tie("choice").map((inner) => `(?:${inner})`),
      ),
      fc.constantFrom("", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{0,2}", "{1,3}?"),
    )
    .map((parts) => parts.join("")),
})).choice

const name = fc.string({ unit: fc.constantFrom("a", "b", "c", ".", "1", "-", "😀"), maxLength: 8 })

describe("a pattern of names", () => {
  it("finds what a regular expression of JavaScript finds", () => {
    let found = 0
    fc.assert(
      fc.property(pattern, fc.array(name, { minLength: 1, maxLength: 5 }), (source, names) => {
        fc.pre(source.length <= 256)
        const made = NameFilter.make(source)
        if (Result.isFailure(made)) {
          expect(made.failure).toBe("it repeats too much")
          return
        }
        for (const text of names) {
          const expected = new RegExp(source, "u").test(text)
          if (expected) found++
          expect([source, text, made.success.finds(text)]).toEqual([source, text, expected])
        }
      }),
      { numRuns: 700 },
    )
    expect(found).toBeGreaterThan(300)
  })

  it.each([
    ["^plant1\\.", "plant1.t4", true],
    ["^plant1\\.", "plant10.t4", false],
    ["\\.t\\d{1,2}$", "plant1.t4", true],
    ["", "anything", true],
    ["[]x]", "]", true],
    ["a]", "a]", true],
  ])("%s in %s: %s", (source, text, expected) => {
    expect(finds(source, text)).toBe(expected)
  })

  it.each([
    ["(?=a)", /groups/],
    ["(?<n>a)", /groups/],
    ["(a)\\1", /\\1/],
    ["\\bword", /\\b/],
    ["(a", /not closed/],
    ["a)", /not open/],
    ["[a", /bracket/],
    ["[b-a]", /range/],
    ["*a", /nothing before/],
    ["a**", /again/],
    ["a{65}", /braces/],
    ["a{3,2}", /braces/],
    ["a\\", /backslash/],
    ["((a{64}){64}){64}", /repeats too much/],
    ["a".repeat(257), /256/],
  ])("is refused: %s", (source, reason) => {
    const made = NameFilter.make(source)
    expect(Result.isFailure(made) && made.failure).toMatch(reason)
  })

  it("takes no longer than its length allows, and then says so", () => {
    // With JavaScript's own, this one takes years.
    expect(finds("^(a+)+$", `${"a".repeat(1000)}b`)).toBe(false)
    const costly = Result.getOrThrow(NameFilter.make("(((a?){30}){30})x"))
    let searches = 0
    while (costly.finds("a".repeat(1000)) === false) searches++
    expect(searches).toBeLessThan(10)
  })
})
