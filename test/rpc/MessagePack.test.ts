/** MessagePack of calls: what is written is read again, what strangers send does no harm. */
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { pack } from "msgpackr"
import { describe, expect, it } from "vitest"
import * as MessagePack from "../../src/rpc/MessagePack.ts"
import { bytes } from "../protocol/busrt/codec/bytes.ts"
import { fuzz } from "../support/fuzzing.ts"

const read = (golden: string): unknown => Result.getOrThrow(MessagePack.decode(new Uint8Array(bytes(golden))))
const refused = (input: Uint8Array): unknown => {
  const decoded = MessagePack.decode(input)
  return Result.isFailure(decoded) ? decoded.failure : decoded
}

const values: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, true, false, 0, -1, 2 ** 31, 2 ** 32, -(2 ** 31) - 1, 2 ** 53 - 1, -(2 ** 53) + 1),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }).map((n) => (Object.is(n, -0) ? 0 : n)),
    fc.constantFrom(2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n), 2n ** 53n + 1n),
    fc.string({ unit: "binary" }),
    fc.string({ minLength: 30, maxLength: 300 }),
    fc.uint8Array(),
    fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }),
    fc.array(tie("value")),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "toString")), tie("value"), {
      noNullPrototype: false,
    }),
  ),
})).value

describe("what is written", () => {
  it("is read again", () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(Result.getOrThrow(MessagePack.decode(new Uint8Array(MessagePack.encode(value))))).toEqual(value)
      }),
      { numRuns: 1000 },
    )
  })

  it.each([
    [
      "integers as integers",
      [2 ** 32, -(2 ** 40), 5n],
      "93 d3 00000001 00000000 d3 ffffff00 00000000 d3 00000000 00000005",
    ],
    ["what is undefined as nil", { a: undefined }, `81 a1 "a" c0`],
    ["Maps and Sets", new Map([[1, new Set(["x"])]]), `81 01 91 a1 "x"`],
    ["text that is well-formed", "\ud800", "a3 efbfbd"],
    ["bytes", new Uint8Array([1, 2]), "c4 02 01 02"],
  ])("keeps to what others understand: %s", (_, value, golden) => {
    expect(MessagePack.encode(value)).toEqual(bytes(golden))
  })

  it("is a mistake where there is nothing for it", () => {
    const circle: Record<string, unknown> = {}
    circle["self"] = circle
    expect(() => MessagePack.encode(circle)).toThrow(RangeError)
    expect(() => MessagePack.encode(2n ** 64n)).toThrow(RangeError)
    expect(() => MessagePack.encode([() => 1])).toThrow(TypeError)
    expect(() => MessagePack.encode(Symbol("a"))).toThrow(TypeError)
  })
})

describe("what is read", () => {
  it("has no prototype that a key could reach", () => {
    const value = read(`82 a9 "__proto__" 81 a1 "x" 01 ab "constructor" 02`) as Record<string, unknown>
    expect(Object.getPrototypeOf(value)).toBeNull()
    expect(Object.keys(value)).toEqual(["__proto__", "constructor"])
    expect(value["toString"]).toBeUndefined()
    expect(Object.getPrototypeOf(value["__proto__"])).toBeNull()
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined()
  })

  it("may have numbers as keys, and times", () => {
    expect(read(`82 01 a1 "a" ff a1 "b"`)).toEqual({ "1": "a", "-1": "b" })
    expect(read("d6 ff 3b9aca00")).toEqual(new Date(1e12))
    expect(read("cf 00200000 00000001")).toBe(2n ** 53n + 1n)
  })

  it.each([
    ["nothing", "", /cut off/],
    ["a text that is cut", `a3 "ab"`, /cut off/],
    ["a length that is cut", "c6 00 00", /cut off/],
    ["an array of more than came", "dd ffffffff 01", /cut off/],
    ["a map of more than came", "df 00ffffff 01", /cut off/],
    ["more than one value", "01 02", /more follows/],
    ["a byte that is never used", "c1", /never used/],
    ["a regular expression", `d4 78 00 92 a1 "x" a0`, /extension 120/],
    ["a record, as msgpackr has them", `d4 72 40 91 a1 "a" 01`, /extension 114/],
    ["a timestamp of a strange size", "c7 03 ff 01 02 03", /extension -1/],
    ["an extension that is cut", "c7 0c", /cut off/],
    ["a map as a key", "81 80 01", /key/],
    ["bytes as a key", "81 c4 00 01", /key/],
    ["nil as a key", "81 c0 01", /key/],
  ])("is refused: %s", (_, golden, reason) => {
    expect(refused(new Uint8Array(bytes(golden)))).toMatch(reason)
  })

  it("is bounded in depth and number", () => {
    expect(refused(new Uint8Array(100_000).fill(0x91))).toMatch(/64 levels/)
    const deep = new Uint8Array(66).fill(0x91)
    deep[65] = 1
    expect(refused(deep)).toMatch(/64 levels/)
    expect(Result.isSuccess(MessagePack.decode(deep.subarray(1)))).toBe(true)
    const many = Buffer.concat([bytes("dd 000f4240"), Buffer.alloc(1_000_000)])
    expect(refused(new Uint8Array(many))).toMatch(/1000000 values/)
  })

  it("does no harm, whatever comes", () => {
    const source = Buffer.from(
      pack({ a: [1, 2.5, null, "text", { b: true }], é: new Uint8Array(3), t: new Date(1e12), n: 2n ** 60n }),
    )
    let wellFormed = 0
    fuzz(30_000, source, (input) => {
      if (Result.isSuccess(MessagePack.decode(input))) wellFormed++
    })
    expect(wellFormed).toBeGreaterThan(300)
  })
})
