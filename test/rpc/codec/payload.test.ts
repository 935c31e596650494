/** The wire format of RPC: each kind byte for byte, and what is none of them. */
import { describe, expect, it } from "vitest"
import { ResultCode } from "../../../src/protocol/busrt/codec/results.ts"
import * as Payload from "../../../src/rpc/codec/payload.ts"
import { bytes as buffer } from "../../protocol/busrt/codec/bytes.ts"

/** `01 02 "get" 00` as bytes that are no Buffer, and not at the beginning of their memory. */
const bytes = (text: string): Uint8Array => new Uint8Array([7, ...buffer(text)]).subarray(1)

const xy = bytes(`"xy"`)
const callId = 0x04030201

const errorCodes = [
  [-32700, "44 80", "parse error"],
  [-32600, "a8 80", "invalid request"],
  [-32601, "a7 80", "method not found"],
  [-32602, "a6 80", "invalid parameters"],
  [-32603, "a5 80", "internal error"],
  [-32001, "ff 82", "not found"],
  [-32113, "8f 82", "not registered"],
  [-32768, "00 80", "error -32768"],
  [32767, "ff 7f", "error 32767"],
  [0, "00 00", "error 0"],
] as const

type Case = readonly [string, string, Uint8Array, Payload.Payload]

const cases: ReadonlyArray<Case> = [
  ["a notification", `00 "xy"`, Payload.notification(xy), { type: "notification", payload: xy }],
  [
    "a request",
    `01 01 02 03 04 "get" 00 "xy"`,
    Payload.request(callId, "get", xy),
    { type: "request", callId, method: "get", params: xy },
  ],
  [
    "a request that wants no reply",
    `01 00 00 00 00 c3 a9 00 "xy"`,
    Payload.request(0, "é", xy),
    { type: "request", callId: 0, method: "é", params: xy },
  ],
  ["a reply", `11 ff ff ff ff "xy"`, Payload.reply(0xffffffff, xy), { type: "reply", callId: 0xffffffff, result: xy }],
  ...errorCodes.map(([code, hex]): Case => [
    `an error reply of ${code}`,
    `12 01 02 03 04 ${hex} "xy"`,
    Payload.errorReply(callId, code, xy),
    { type: "errorReply", callId, code, error: xy },
  ]),
]

describe("an RPC payload", () => {
  it.each(cases)("is read and written: %s", (_, golden, written, decoded) => {
    expect(Payload.decode(bytes(golden))).toEqual(decoded)
    expect(written).toEqual(bytes(golden))
  })

  it.each([
    ["a cut call id", "01 01 02 03", 0],
    ["a cut call id of a reply", "11 01 02 03", 0],
    ["a cut error code", "12 01 02 03 04 44", 0],
    ["a method without its NUL", `01 01 02 03 04 "get"`, callId],
    ["a method that is not UTF-8", "01 01 02 03 04 ff 00", callId],
    ["a method that is too long", `01 01 02 03 04 "${"a".repeat(1025)}" 00`, callId],
  ])("is invalid: %s", (_, golden, callId) => {
    expect(Payload.decode(bytes(golden))).toMatchObject({ type: "invalid", callId, code: -32600 })
  })

  it.each([
    ["nothing", ""],
    ["a text", `"hello"`],
    ["an unknown kind", "02 01 02 03 04"],
  ])("is something else: %s", (_, golden) => {
    expect(Payload.decode(bytes(golden))).toEqual({ type: "foreign" })
  })

  it("has methods of any length and alphabet", () => {
    for (const method of [
      "",
      "a".repeat(64),
      "a".repeat(65),
      "a".repeat(1024),
      "é".repeat(512),
      "\ufeffx",
      "😀".repeat(20),
    ]) {
      expect(Payload.methodProblem(method)).toBeUndefined()
      expect(Payload.decode(Payload.request(1, method, xy))).toEqual({ type: "request", callId: 1, method, params: xy })
    }
  })

  it("is not written where it could not be read", () => {
    expect(Payload.methodProblem("a\0b")).toMatch(/NUL/)
    expect(Payload.methodProblem("a".repeat(1025))).toMatch(/1025/)
    expect(Payload.methodProblem("é".repeat(513))).toMatch(/1026/)
    expect(Payload.methodProblem("\ud800")).toMatch(/well-formed/)
    expect(() => Payload.request(2 ** 32, "a", xy)).toThrow(RangeError)
    expect(() => Payload.errorReply(1, 32768, xy)).toThrow(RangeError)
  })
})

describe("an error code", () => {
  it.each(errorCodes)("%i has a name", (code, _, name) => {
    expect(Payload.errorName(code)).toBe(name)
  })

  it("of a call that was not delivered comes from the result", () => {
    expect(Payload.transportErrorCode(ResultCode.busy)).toBe(Payload.ErrorCode.busy)
    expect(Object.values(ResultCode).map(Payload.transportErrorCode)).toEqual([
      -32001, -32113, -32114, -32115, -32116, -32117, -32118, -32119, -32120, -32121,
    ])
  })
})
