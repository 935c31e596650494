import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { TopicTrie } from "../../src/domain/TopicTrie.ts"
import * as TopicFilter from "../../src/domain/TopicFilter.ts"
import * as Arbitraries from "../../src/testing/arbitraries.ts"

describe("a trie of topic filters", () => {
  it("finds exactly what matches, after any additions and removals", () => {
    const change = fc.record({ pair: Arbitraries.filterAndTopic, remove: fc.boolean() })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        const trie = new TopicTrie<string>()
        const filters = new Set<string>()
        for (const { pair, remove } of changes) {
          const [filter] = pair
          if (remove) {
            trie.remove(filter, filter)
            filters.delete(filter)
          } else {
            trie.add(filter, filter)
            filters.add(filter)
          }
        }
        for (const { pair } of changes) {
          const [, topic] = pair
          const expected = [...filters].filter((filter) => TopicFilter.matches(filter, topic))
          expect(trie.match(topic).toSorted()).toEqual(expected.toSorted())
        }
      }),
      { numRuns: 500 },
    )
  })

  it("gives a value once, however many of its filters match", () => {
    const trie = new TopicTrie<number>()
    for (const filter of ["a/b", "a/+", "a/#", "#", "+/b"]) trie.add(filter, 1)
    expect(trie.match("a/b")).toEqual([1])
  })
})
