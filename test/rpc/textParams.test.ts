import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { parse } from "../../src/rpc/textParams.ts"

const read = (...words: ReadonlyArray<string>) => Result.getOrThrow(parse(words))

describe("parameters as people write them", () => {
  it("are JSON where they parse as such, else texts", () => {
    expect(read()).toBeUndefined()
    expect(read("n=1", "f=1.5", "yes=true", "none=null", 'list=["a",{"b":2}]', 'text="7"')).toEqual({
      n: 1,
      f: 1.5,
      yes: true,
      none: null,
      list: ["a", { b: 2 }],
      text: "7",
    })
    expect(read("word=two words", "empty=", "more=a=b", "half=[1,", "zeros=007")).toEqual({
      word: "two words",
      empty: "",
      more: "a=b",
      half: "[1,",
      zeros: "007",
    })
  })

  it("keep integers up to 64 bits as they are", () => {
    const numbers = ["9007199254740993", "-9223372036854775808", "18446744073709551615"]
    expect(read(...numbers.map((digits, i) => `n${i}=${digits}`))).toEqual({
      n0: 9007199254740993n,
      n1: -(2n ** 63n),
      n2: 2n ** 64n - 1n,
    })
  })

  it("have no prototype", () => {
    expect(Object.getPrototypeOf(read("__proto__=1"))).toBeNull()
    expect(Object.keys(read("__proto__=1")!)).toEqual(["__proto__"])
  })

  it.each([["seven"], ["=7"], ["a=1", "a=2"]])("are refused in a sentence: %j", (...words) => {
    expect(Result.isFailure(parse(words))).toBe(true)
  })
})
