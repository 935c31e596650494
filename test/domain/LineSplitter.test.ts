import { describe, expect, it } from "vitest"
import * as fc from "fast-check"
import { LineSplitter } from "../../src/domain/LineSplitter.ts"

/** All lines of the chunks, as text of one character a byte. */
const split = (chunks: ReadonlyArray<Uint8Array>, lineBytesMax = 1000): ReadonlyArray<string> => {
  const splitter = new LineSplitter(lineBytesMax)
  const lines = chunks.flatMap((chunk) => [...splitter.push(chunk)])
  return [...lines, ...splitter.end()].map((line) => Buffer.from(line).toString("latin1"))
}

describe("LineSplitter", () => {
  it("ends a line at each newline, and takes an unfinished last one", () => {
    expect(split([Buffer.from("a\n\nb\r\nc")])).toEqual(["a", "", "b\r", "c"])
    expect(split([Buffer.from("a\n")])).toEqual(["a"])
    expect(split([])).toEqual([])
  })

  it("gives the same lines however the bytes are cut into chunks", () => {
    const chunk = fc.uint8Array({ maxLength: 20 }).map((bytes) => bytes.map((byte) => (byte < 60 ? 0x0a : byte)))
    fc.assert(
      fc.property(fc.array(chunk), (chunks) => {
        const text = Buffer.concat(chunks).toString("latin1")
        const expected = text.split("\n")
        if (expected.at(-1) === "") expected.pop()
        expect(split(chunks)).toEqual(expected)
      }),
    )
  })

  it("stops at a line over the limit and says which, after giving those before it", () => {
    const splitter = new LineSplitter(3)
    expect(splitter.push(Buffer.from("abc\nde"))).toHaveLength(1)
    expect(splitter.tooLong).toBeUndefined()
    expect(splitter.push(Buffer.from("fg\nh\n"))).toEqual([])
    expect(splitter.tooLong).toBe(2)
    expect(splitter.push(Buffer.from("x\n"))).toEqual([])
    expect(splitter.end()).toEqual([])
  })
})
