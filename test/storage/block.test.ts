/** Blocks give back what went in, and notice when they are not what was written. */
import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { makeHeaders, noHeaders, noPayload } from "../../src/domain/Message.ts"
import {
  Block,
  type BlockContent,
  blockBytesMax,
  blockMessagesMax,
  BlockWriter,
  DamagedBlock,
  encodeBlock,
  encodeBlocks,
} from "../../src/storage/parts/Block.ts"
import { resealed } from "../support/sealed.ts"

const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constantFrom("", "\0", "ü€😀", "__proto__"))
const time = fc.oneof(fc.constant(1_700_000_000_000), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }))

const kept = fc.record({
  id: fc.oneof(fc.uuid(), text),
  createdAt: time,
  headers: fc.option(fc.dictionary(text, text, { maxKeys: 4 }), { nil: undefined }).map(makeHeaders),
  payload: fc.oneof(fc.constant(noPayload), fc.constant(new Uint8Array([1, 2, 3])), fc.uint8Array({ maxLength: 300 })),
  deleted: fc.constant(false),
})
const erased = fc.record({
  id: fc.uuid(),
  createdAt: time,
  headers: fc.constant(noHeaders),
  payload: fc.constant(noPayload),
  deleted: fc.constant(true),
})
const contents = fc.array(fc.oneof({ weight: 5, arbitrary: kept }, erased), { minLength: 1, maxLength: 20 })

/** A message of so many bytes. */
const message = (bytes: number): BlockContent => ({
  id: "id",
  createdAt: 1,
  headers: noHeaders,
  payload: new Uint8Array(bytes),
})

describe("a block", () => {
  it("gives its messages back, whatever they have in common", () => {
    fc.assert(
      fc.property(contents, (messages) => {
        const block = new Block(encodeBlock(messages), messages.length)
        expect(messages.map((_, index) => block.content(index))).toEqual(messages)
      }),
      { numRuns: 1000 },
    )
  })

  it("may stand anywhere in the memory that it is read from", () => {
    const encoded = encodeBlock([message(3), message(5)])
    for (let from = 0; from < 9; from++) {
      const around = new Uint8Array(encoded.length + 16).fill(0xff)
      around.set(encoded, from)
      const block = new Block(around.subarray(from, from + encoded.length), 2)
      expect([block.bytes(0), block.bytes(1), block.id(1)]).toEqual([3, 5, "id"])
    }
  })

  it("is refused when a bit of it has changed, when it is cut short, and when it holds another number of messages", () => {
    const encoded = encodeBlock([message(3), { ...message(5), headers: makeHeaders({ a: "b" }), id: "other" }])
    for (let bit = 0; bit < encoded.length * 8; bit++) {
      const changed = Uint8Array.from(encoded)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      expect(() => new Block(changed, 2), `bit ${bit}`).toThrow(DamagedBlock)
    }
    for (let length = 0; length < encoded.length; length++) {
      expect(() => new Block(encoded.subarray(0, length), 2), `${length} bytes`).toThrow(DamagedBlock)
    }
    for (const count of [0, 1, 3]) expect(() => new Block(encoded, count)).toThrow(DamagedBlock)
  })

  it("gives a block of some of its messages, in memory of its own", () => {
    const cut = fc.tuple(fc.nat({ max: 20 }), fc.nat({ max: 20 }))
    fc.assert(
      fc.property(contents, cut, (messages, [a, b]) => {
        const from = a % messages.length
        const to = from + 1 + (b % (messages.length - from))
        const sliced = new Block(encodeBlock(messages), messages.length).slice(from, to)
        const block = new Block(sliced, to - from)
        expect(messages.slice(from, to)).toEqual(Array.from({ length: to - from }, (_, index) => block.content(index)))
        expect(sliced.buffer.byteLength).toBe(sliced.byteLength)
      }),
      { numRuns: 1000 },
    )
  })

  it("that somebody else has written, whatever that is, is refused, or can be read", () => {
    let read = 0
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(contents, edits, fc.option(fc.nat({ max: 2000 }), { nil: undefined }), (messages, changes, cut) => {
        const changed = resealed(encodeBlock(messages).subarray(0, cut), (bytes) => {
          // What is said of the content is in front of it.
          for (const [at, value] of changes) bytes[4 + (at % Math.min(bytes.byteLength, 60))] = value
        })
        const count = changed.byteLength < 12 ? messages.length : changed.readUInt32LE(8)
        let block: Block
        try {
          block = new Block(changed, count)
        } catch (error) {
          expect(error).toBeInstanceOf(DamagedBlock)
          return
        }
        let bytes = 0
        for (let index = 0; index < Math.min(count, 2000); index++) {
          block.id(index)
          block.createdAt(index)
          block.headersText(index)
          expect(block.idLength(index)).toBeGreaterThanOrEqual(0)
          expect(block.payload(index).byteLength).toBeLessThanOrEqual(block.bytes(index))
          bytes += block.bytes(index)
        }
        expect(bytes).toBeLessThanOrEqual(changed.byteLength)
        read++
      }),
      { numRuns: 3000 },
    )
    expect(read).toBeGreaterThan(100)
  })

  it("takes messages up to a number, or a size, and one of any size", () => {
    const many = new BlockWriter()
    while (many.add(message(1)));
    expect(many.count).toBe(blockMessagesMax)
    const large = new BlockWriter()
    while (large.add(message(blockBytesMax / 8)));
    expect(large.count).toBe(8)
    const huge = new BlockWriter()
    expect([huge.add(message(4 * blockBytesMax)), huge.add(message(1))]).toEqual([true, false])
    expect(new Block(encodeBlocks([huge]).bytes, 1).bytes(0)).toBe(4 * blockBytesMax)
  })
})
