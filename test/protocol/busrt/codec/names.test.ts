/** Names that were read before are remembered by their bytes: that shows in nothing but speed. */
import { isUtf8 } from "node:buffer"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { nameBytesMax, readName } from "../../../../src/protocol/busrt/codec/names.ts"

/** What Node itself makes of the bytes. */
const reference = (bytes: Uint8Array): string | undefined =>
  isUtf8(bytes) ? Buffer.from(bytes).toString("utf8") : undefined

const read = (bytes: Uint8Array): string | undefined => readName(bytes, 0, bytes.length)

/** So many of one length that any place where one is remembered is that of others too. */
const alike = fc.integer({ min: 0, max: 20_000 }).map((i) => Buffer.from(`name ${String(i).padStart(5)}`))

const anyName = fc.oneof(
  alike,
  fc.string({ unit: "binary", maxLength: 70 }).map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 12 }),
  fc.integer({ min: 120, max: nameBytesMax }).map((length) => Buffer.alloc(length, "long")),
  fc.constantFrom("é", "\ufffd", "\ufeffmark", "").map((text) => Buffer.from(text)),
  fc.constantFrom("c3", "e9", "eda080", "efbf", "c0af", "f4908080").map((hex) => Buffer.from(hex, "hex")),
)

describe("a name", () => {
  it("is what its bytes are, whatever was read before", () => {
    fc.assert(
      fc.property(fc.array(anyName, { minLength: 1, maxLength: 40 }), (names) => {
        for (const name of [...names, ...names]) expect(read(name)).toBe(reference(name))
      }),
      { numRuns: 1000 },
    )
  })

  it("is read anywhere in a chunk, of Node's or not", () => {
    for (const chunk of [Buffer.from("..a/bé.."), new Uint8Array(Buffer.from("..a/bé.."))]) {
      for (let times = 0; times < 2; times++) expect(readName(chunk, 2, 7)).toBe("a/bé")
    }
  })

  it("is no other one, where many are remembered in its place", () => {
    const units = Array.from({ length: 126 }, (_, i) => String.fromCharCode(i + 1))
    for (let i = 0; i < 200; i++) {
      // They differ in one character alone: the last, and the first.
      const names = units.flatMap((unit) => [`${i}${unit}`, `${unit}of many ${i}`])
      for (const name of names) expect(read(Buffer.from(name))).toBe(name)
    }
  })

  it("does not change with the memory that it came in", () => {
    const chunk = Buffer.from("of one length 00000")
    // So often that it is remembered by now, whatever else is.
    for (let times = 0; times < 200; times++) expect(read(chunk)).toBe("of one length 00000")
    for (let i = 1; i <= 20_000; i++) {
      const name = `of one length ${String(i).padStart(5, "0")}`
      chunk.write(name)
      expect(read(chunk)).toBe(name)
    }
    expect(read(Buffer.from("of one length 00000"))).toBe("of one length 00000")
  })
})
