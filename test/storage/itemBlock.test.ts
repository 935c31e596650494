/** Blocks of items give back what went in, whatever the items are about, and notice damage. */
import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { makeHeaders } from "../../src/domain/Message.ts"
import { DamagedBlock } from "../../src/storage/parts/Block.ts"
import { type ItemContent, ItemBlockReader, packItems } from "../../src/storage/parts/ItemBlock.ts"

const node = fc.constantFrom(
  { tenant: "t", line: "l", device: "d" },
  { tenant: "ü", line: '"', device: "\u0000" },
  { tenant: "t", line: "l", device: "e" },
)
const death = fc.record({
  sequence: fc.nat(),
  attempts: fc.integer({ min: 1 }),
  reason: fc.option(fc.string(), { nil: undefined }),
  at: fc.nat(),
})
const item: fc.Arbitrary<ItemContent> = fc.record({
  id: fc.uuid(),
  topic: fc.constantFrom("a", "b", "größe"),
  source: node,
  target: fc.option(node, { nil: undefined }),
  createdAt: fc.nat(),
  headers: fc.option(fc.dictionary(fc.string({ minLength: 1 }), fc.string()), { nil: undefined }).map(makeHeaders),
  payload: fc.uint8Array({ maxLength: 50 }),
  death: fc.option(death, { nil: undefined }),
})

const unpack = (items: ReadonlyArray<ItemContent>): ReadonlyArray<ItemContent> => {
  let lastSequence = 10
  return packItems(items).flatMap((block) => {
    const reader = new ItemBlockReader({ ...block, lastSequence: (lastSequence += block.items) })
    return Array.from({ length: block.items }, (_, i) => reader.content(reader.firstSequence + i))
  })
}

describe("blocks of items", () => {
  it("give items back as they were, in any order of asking", () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 30 }), (items) => {
        expect(unpack(items)).toEqual(items)
        const [block] = packItems(items)
        if (block === undefined) return
        const reader = new ItemBlockReader({ ...block, lastSequence: block.items })
        for (let sequence = block.items; sequence > 0; sequence--) {
          expect(reader.item("q", sequence, 3)).toEqual({ ...items[sequence - 1], queue: "q", sequence, attempts: 3 })
        }
      }),
      { numRuns: 300 },
    )
  })

  it("are several where items are large, or about many things", () => {
    const [example] = fc.sample(item, 1)
    const large = Array.from({ length: 5 }, () => ({ ...example!, payload: new Uint8Array(100_000) }))
    expect(packItems(large).map(({ items }) => items)).toEqual([2, 2, 1])
    const topics = Array.from({ length: 300 }, (_, i) => ({ ...example!, topic: `${i} ${"x".repeat(1000)}` }))
    const blocks = packItems(topics)
    expect(blocks.length).toBeGreaterThan(3)
    expect(Math.max(...blocks.map(({ about }) => about.length))).toBeLessThan(100_000)
    expect(unpack(topics)).toEqual(topics)
  })

  it("are damaged where a byte of what they say is another one", () => {
    const items = fc.sample(item, 20)
    const [block] = packItems(items)
    const read = (changed: object) => new ItemBlockReader({ ...block!, lastSequence: 20, ...changed })
    expect(read({}).id(20)).toBe(items[19]!.id)
    for (let at = 0; at < block!.about.length; at += 7) {
      const other = block!.about[at] === "0" ? "1" : "0"
      const about = block!.about.slice(0, at) + other + block!.about.slice(at + 1)
      expect(() => read({ about })).toThrow(DamagedBlock)
    }
    const content = Uint8Array.from(block!.content)
    content[content.length - 1]! ^= 1
    expect(() => read({ content })).toThrow(DamagedBlock)
    expect(() => read({ items: 19 })).toThrow(DamagedBlock)
  })
})
