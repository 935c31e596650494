import { describe, expect, it } from "vitest"
import { ClientFrameWriter } from "../../../../src/protocol/busrt/codec/clientFrames.ts"
import { ResultCode } from "../../../../src/protocol/busrt/codec/results.ts"
import * as Rpc from "../../../../src/protocol/busrt/codec/rpc.ts"
import { bytes } from "./bytes.ts"

const xy = Buffer.from("xy")
const callId = 0x04030201

const errorCodes = [
  [-32700, "44 80", "parse error"],
  [-32600, "a8 80", "invalid request"],
  [-32601, "a7 80", "method not found"],
  [-32602, "a6 80", "invalid parameters"],
  [-32603, "a5 80", "internal error"],
  [-32001, "ff 82", "not found"],
  [-32113, "8f 82", "error -32113"],
  [-32768, "00 80", "error -32768"],
  [32767, "ff 7f", "error 32767"],
  [0, "00 00", "error 0"],
] as const

type Case = readonly [string, string, Uint8Array, Rpc.RpcPayload]

const cases: ReadonlyArray<Case> = [
  ["a notification", `00 "xy"`, Rpc.notificationHead, { type: "notification", payload: xy }],
  [
    "a request",
    `01 01 02 03 04 "get" 00 "xy"`,
    Rpc.requestHead(callId, "get"),
    { type: "request", callId, method: "get", params: xy },
  ],
  [
    "a request that wants no reply",
    `01 00 00 00 00 c3 a9 00 "xy"`,
    Rpc.requestHead(0, "é"),
    { type: "request", callId: 0, method: "é", params: xy },
  ],
  ["a reply", `11 ff ff ff ff "xy"`, Rpc.replyHead(0xffffffff), { type: "reply", callId: 0xffffffff, result: xy }],
  ...errorCodes.map(([code, hex]): Case => [
    `an error reply of ${code}`,
    `12 01 02 03 04 ${hex} "xy"`,
    Rpc.errorReplyHead(callId, code),
    { type: "errorReply", callId, code, error: xy },
  ]),
]

describe("an RPC payload", () => {
  it.each(cases)("is read and written: %s", (_, golden, head, decoded) => {
    expect(Rpc.decode(bytes(golden))).toEqual(decoded)
    expect(Buffer.concat([head, xy])).toEqual(bytes(golden))
    const writer = new ClientFrameWriter()
    writer.message(1, 0, "c", xy, head)
    const length = (bytes(golden).length + 2).toString(16).padStart(2, "0")
    expect(writer.finish()).toEqual(bytes(`01 00 00 00 12 ${length} 00 00 00 "c" 00 ${golden}`))
  })

  it.each([
    ["nothing", "", 0],
    ["an unknown kind", "02 01 02 03 04", 0],
    ["a cut call id", "01 01 02 03", 0],
    ["a cut call id of a reply", "11 01 02 03", 0],
    ["a cut error code", "12 01 02 03 04 44", 0],
    ["a method without its NUL", `01 01 02 03 04 "get"`, callId],
    ["a method that is not UTF-8", "01 01 02 03 04 ff 00", callId],
    ["a method that is too long", `01 01 02 03 04 "${"a".repeat(1025)}" 00`, callId],
  ])("is invalid: %s", (_, golden, callId) => {
    expect(Rpc.decode(bytes(golden))).toMatchObject({ type: "invalid", callId, code: -32600 })
  })

  it("is not written where it could not be read", () => {
    expect(() => Rpc.requestHead(1, "a\0b")).toThrow(RangeError)
    expect(() => Rpc.requestHead(1, "a".repeat(1025))).toThrow(RangeError)
    expect(() => Rpc.requestHead(2 ** 32, "a")).toThrow(RangeError)
    expect(() => Rpc.errorReplyHead(1, 32768)).toThrow(RangeError)
  })
})

describe("an error code", () => {
  it.each(errorCodes)("%i has a name", (code, _, name) => {
    expect(Rpc.rpcErrorName(code)).toBe(name)
  })

  it("of a call that was not delivered comes from the result", () => {
    expect(Object.values(ResultCode).map(Rpc.transportErrorCode)).toEqual([
      -32001, -32113, -32114, -32115, -32116, -32117, -32118, -32119, -32120, -32121,
    ])
  })
})
