import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import * as fc from "fast-check"
import * as ClientName from "../../src/domain/ClientName.ts"
import * as NameMask from "../../src/domain/NameMask.ts"

const deep = (separator: string, parts: number): string => Array(parts).fill("a").join(separator)

describe("a client's name", () => {
  it.each(["a", "plant1.sensors.t4", "a b", "é.語", "a%%1", "a.b%%1%%2", "a%b", "a..b", "what?", "x.", deep(".", 64)])(
    "is taken as it is: %s",
    (name) => {
      expect(ClientName.problem(name)).toBeUndefined()
      expect(Schema.decodeUnknownSync(ClientName.ClientName)(name)).toBe(name)
    },
  )

  it.each([
    ["", "empty or blank"],
    [" ", "empty or blank"],
    ["a\0b", "NUL"],
    ["\udc00", "well-formed"],
    [".", "belong to the bus"],
    [".broker", "belong to the bus"],
    [".a%%b", "belong to the bus"],
    ["%%a", "before"],
    ["a%%", "suffix"],
    ["a".repeat(1025), "1,024 bytes"],
    ["é".repeat(513), "1,024 bytes"],
    [deep(".", 65), "64 parts"],
  ])("is refused with a reason: %j", (name, reason) => {
    expect(ClientName.problem(name)).toContain(reason)
    expect(() => Schema.decodeUnknownSync(ClientName.ClientName)(name)).toThrow(reason)
  })

  it.each([
    ["a", "a", undefined],
    ["a%%1", "a", "1"],
    ["a%%1%%2", "a", "1%%2"],
    ["a%%%", "a", "%"],
    ["a%1", "a%1", undefined],
  ])("tells the primary and the suffix: %s", (name, primary, suffix) => {
    expect(ClientName.split(name)).toEqual({ primary, suffix })
    expect(ClientName.primaryOf(name)).toBe(primary)
    expect(ClientName.isSecondary(name)).toBe(suffix !== undefined)
  })
})

describe("a mask over names", () => {
  it.each([
    ["?.test.*", "g1.test.client1", true],
    ["?.test.*", "g1.test.sub.client2", true],
    ["?.test.*", "g1.test", false],
    ["?.test.*", "test.client1", false],
    ["a.*", "a.b", true],
    ["a.*", "a.b.c", true],
    ["a.*", "a", false],
    ["a.*", "ab.c", false],
    ["a.*", "a.", true],
    ["a.*.z", "a.b", true],
    ["*", "a", true],
    ["*", "a.b", true],
    ["*", "a%%1", true],
    ["?", "a", true],
    ["?", "a.b", false],
    ["a.?", "a", false],
    ["a.?", "a.b", true],
    ["a.?", "a.b%%1", true],
    ["a.?", "a.b.c", false],
    ["a.?.c", "a..c", true],
    ["a", "a", true],
    ["a", "a.b", false],
    ["a*", "ab", false],
    ["a*", "a*", true],
    ["a?", "ab", false],
    ["a.b+.*", "a.bb.c", false],
    [".*", "a", false],
  ])("%s against %s: %s", (mask, name, matches) => {
    expect(NameMask.matches(mask, name)).toBe(matches)
  })

  it("obeys the definition, part by part", () => {
    const defined = (mask: ReadonlyArray<string>, name: ReadonlyArray<string>): boolean =>
      mask[0] === "*"
        ? name.length > 0
        : mask.length === 0 || name.length === 0
          ? mask.length === name.length
          : (mask[0] === "?" || mask[0] === name[0]) && defined(mask.slice(1), name.slice(1))
    const path = (...parts: ReadonlyArray<string>) =>
      fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 5 }).map((all) => all.join("."))
    let matching = 0
    fc.assert(
      fc.property(path("a", "b", "", "?", "?", "*", "a*"), path("a", "b", "", "ab", "?", "a*"), (mask, name) => {
        const expected = defined(mask.split("."), name.split("."))
        expect(NameMask.matches(mask, name)).toBe(expected)
        if (expected) matching++
      }),
      { numRuns: 3000 },
    )
    expect(matching).toBeGreaterThan(100)
  })

  it("has a wildcard only where it is a whole part", () => {
    expect(["?", "a.*", "*.a", "a.?.b"].every(NameMask.hasWildcard)).toBe(true)
    expect(["a", "a.b?", "a*.b"].some(NameMask.hasWildcard)).toBe(false)
  })

  it.each([
    ["", "empty or blank"],
    ["a\0", "NUL"],
    ["?".repeat(1025), "1,024 bytes"],
    [deep(".", 65), "64 parts"],
  ])("is refused with a reason: %j", (mask, reason) => {
    expect(NameMask.problem(mask)).toContain(reason)
    expect(() => Schema.decodeUnknownSync(NameMask.NameMask)(mask)).toThrow(reason)
  })
})
