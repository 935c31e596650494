import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { TopicTrie } from "../../src/domain/TopicTrie.ts"
import * as TopicFilter from "../../src/domain/TopicFilter.ts"
import * as Arbitraries from "../../src/testing/arbitraries.ts"

describe("a trie of topic filters", () => {
  it("finds exactly what matches, after any additions and removals", () => {
    const change = fc.record({ pair: Arbitraries.filterAndTopic, value: fc.nat(2), remove: fc.boolean() })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        const trie = new TopicTrie<number>()
        const registered = new Map<string, readonly [filter: string, value: number]>()
        for (const { pair, value, remove } of changes) {
          const [filter] = pair
          if (remove) {
            trie.remove(filter, value)
            registered.delete(`${filter} ${value}`)
          } else {
            trie.add(filter, value)
            registered.set(`${filter} ${value}`, [filter, value])
          }
        }
        for (const { pair } of changes) {
          const [, topic] = pair
          const matching = [...registered.values()].filter(([filter]) => TopicFilter.matches(filter, topic))
          const expected = new Set(matching.map(([, value]) => value))
          expect(new Set(trie.match(topic))).toEqual(expected)
          expect(trie.match(topic)).toHaveLength(expected.size)
        }
        for (const [filter, value] of registered.values()) trie.remove(filter, value)
        expect(trie.isEmpty).toBe(true)
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
