import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as LiveTopic from "../../src/domain/LiveTopic.ts"
import * as TopicFilter from "../../src/domain/TopicFilter.ts"
import { TopicTrie } from "../../src/domain/TopicTrie.ts"

const path = (...parts: ReadonlyArray<string>): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 5 }).map((all) => all.join("/"))
const filters = path("a", "b", "$c", ".broker", "+", "+", "#", "a+")
const topics = path("a", "b", "$c", ".broker", "", "a+", "+")

const defined = (filter: ReadonlyArray<string>, topic: ReadonlyArray<string>): boolean =>
  filter[0] === "#"
    ? topic.length > 0
    : filter.length === 0 || topic.length === 0
      ? filter.length === topic.length
      : (filter[0] === "+" || filter[0] === topic[0]) && defined(filter.slice(1), topic.slice(1))

describe("a filter of the live plane", () => {
  it.each([
    ["#", ".broker/info", true],
    ["#", "$msgbus.delete", true],
    ["+/x", "$a/x", true],
    ["a/#", "a/b", true],
    ["a/#", "a/b/c", true],
    ["a/#", "a", false],
    ["a/#/z", "a/b", true],
    ["a/+", "a", false],
    ["a/+", "a/", true],
    ["a/+", "a/b", true],
    ["a+", "ab", false],
    ["a+", "a+", true],
    ["a#", "ab", false],
  ])("%s against %s: %s", (filter, topic, matches) => {
    expect(LiveTopic.matches(filter, topic)).toBe(matches)
  })

  it("obeys the definition, part by part, alone and in a trie", () => {
    let matching = 0
    fc.assert(
      fc.property(fc.array(filters, { maxLength: 12 }), fc.array(topics, { maxLength: 6 }), (filters, topics) => {
        const trie = new TopicTrie<string>("live")
        for (const filter of filters) trie.add(filter, filter)
        for (const topic of topics) {
          const expected = filters.filter((filter) => defined(filter.split("/"), topic.split("/")))
          expect(filters.filter((filter) => LiveTopic.matches(filter, topic))).toEqual(expected)
          expect(trie.match(topic).toSorted()).toEqual([...new Set(expected)].toSorted())
          matching += expected.length
        }
      }),
      { numRuns: 1000 },
    )
    expect(matching).toBeGreaterThan(1000)
  })

  it("differs from a durable one only at reserved topics", () => {
    fc.assert(
      fc.property(filters, topics, (filter, topic) => {
        const hidden = topic.startsWith("$") && /^[+#](\/|$)/.test(filter)
        expect(TopicFilter.matches(filter, topic)).toBe(!hidden && LiveTopic.matches(filter, topic))
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    ["", "empty or blank"],
    ["a\0", "NUL"],
    ["a".repeat(1025), "1,024 bytes"],
    [Array(65).fill("+").join("/"), "64 parts"],
  ])("is refused with a reason: %j", (filter, reason) => {
    expect(LiveTopic.filterProblem(filter)).toContain(reason)
  })

  it.each(["#", "a+b/#", ".broker/info", "$a", Array(64).fill("+").join("/")])("is taken: %s", (filter) => {
    expect(LiveTopic.filterProblem(filter)).toBeUndefined()
  })
})

describe("a topic of the live plane", () => {
  it("may begin with what is reserved on the durable one", () => {
    expect(LiveTopic.problem("$a")).toBeUndefined()
    expect(LiveTopic.problem(".broker/info")).toBeUndefined()
    expect(LiveTopic.problem("")).toContain("empty")
    expect(LiveTopic.problem("a".repeat(1025))).toContain("1,024 bytes")
  })
})
