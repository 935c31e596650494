/** Names that were read before are remembered by their bytes: that shows in nothing but speed. */
import { isUtf8 } from "node:buffer"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { nameBytesMax, readName } from "../../../../src/protocol/busrt/codec/names.ts"

/** What Node itself makes of the bytes. */
const reference = (bytes: Uint8Array): string | undefined =>
  isUtf8(bytes) ? Buffer.from(bytes).toString("utf8") : undefined

const read = (bytes: Uint8Array): string | undefined => readName(bytes, 0, bytes.length)

/** Any two of them of one length have the same hash. */
const alike = fc
  .array(fc.constantFrom("Aa", "BB"), { minLength: 1, maxLength: 70 })
  .map((parts) => Buffer.from(parts.join("")))

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

  it("does not change with the memory that it came in", () => {
    const chunk = Buffer.from("of the same hash: Aa")
    // So often that it is remembered by now, whatever else is.
    for (let times = 0; times < 20; times++) expect(read(chunk)).toBe("of the same hash: Aa")
    chunk.write("of the same hash: BB")
    expect(read(chunk)).toBe("of the same hash: BB")
    expect(read(Buffer.from("of the same hash: Aa"))).toBe("of the same hash: Aa")
  })
})
