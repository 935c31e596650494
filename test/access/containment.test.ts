import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as LiveTopic from "../../src/domain/LiveTopic.ts"
import * as NameMask from "../../src/domain/NameMask.ts"
import * as TopicFilter from "../../src/domain/TopicFilter.ts"

/** All paths of up to so many parts. */
const enumerate = (parts: ReadonlyArray<string>, separator: string, partsMax: number): ReadonlyArray<string> => {
  const all: Array<ReadonlyArray<string>> = [[]]
  for (const path of all) {
    if (path.length < partsMax) for (const part of parts) all.push([...path, part])
  }
  return all.slice(1).map((path) => path.join(separator))
}

const patterns = (parts: ReadonlyArray<string>, separator: string) =>
  fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 4 }).map((all) => all.join(separator))

// "x" is in no pattern: it stands for all the parts that nobody named.
const topics = enumerate(["a", "$b", ".c", "a+", "x"], "/", 5)
const filters = patterns(["a", "$b", ".c", "+", "+", "#", "a+"], "/")
const names = enumerate(["a", "b%%s", "a*", "x"], ".", 5)
const masks = patterns(["a", "b%%s", "?", "?", "*", "a*"], ".")

describe("what lies within a pattern", () => {
  it.each([
    ["#", "#", true],
    ["#", "+", true],
    ["#", "$a/b", true],
    ["+", "#", false],
    ["a/#", "a/+", true],
    ["a/#", "a/+/#", true],
    ["a/#", "a/b/#", true],
    ["a/#", "a", false],
    ["a/#", "+/b", false],
    ["a/+", "a/#", false],
    ["a/+", "a/b/c", false],
    ["+/b", "a/b", true],
    ["+/b", "a/+", false],
    ["a/+/#", "a/#", false],
    ["a/#", "a/#/b", true],
    ["a/b", "a/b", true],
    ["a/b", "a/+", false],
  ])("%s around %s: %s", (outer, inner, contains) => {
    expect(LiveTopic.container(outer)(inner)).toBe(contains)
  })

  it("is just what a filter of the live plane matches (I9)", () => {
    let contained = 0
    fc.assert(
      fc.property(filters, filters, (outer, inner) => {
        const [around, within] = [LiveTopic.matcher(outer), LiveTopic.matcher(inner)]
        const expected = topics.every((topic) => !within(topic) || around(topic))
        if (expected) contained += 1
        expect(LiveTopic.container(outer)(inner)).toBe(expected)
      }),
      { numRuns: 600 },
    )
    expect(contained).toBeGreaterThan(30)
  })

  it("holds for the durable plane, where filters match less (I9)", () => {
    fc.assert(
      fc.property(filters, filters, (outer, inner) => {
        if (!LiveTopic.container(outer)(inner)) return
        const [around, within] = [LiveTopic.matcher(outer), TopicFilter.matcher(inner)]
        for (const topic of topics) if (within(topic)) expect(around(topic)).toBe(true)
      }),
      { numRuns: 600 },
    )
  })

  it("is just what a mask matches (I9)", () => {
    let contained = 0
    fc.assert(
      fc.property(masks, masks, (outer, inner) => {
        const [around, within] = [NameMask.matcher(outer), NameMask.matcher(inner)]
        const expected = names.every((name) => !within(name) || around(name))
        if (expected) contained += 1
        expect(NameMask.container(outer)(inner)).toBe(expected)
      }),
      { numRuns: 600 },
    )
    expect(contained).toBeGreaterThan(30)
  })
})
