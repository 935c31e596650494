/** Random and mutated RPC payloads: no exception, and nothing that was not in the input. */
import { expect, it } from "vitest"
import * as Payload from "../../../src/rpc/codec/payload.ts"
import { bytes } from "../../protocol/busrt/codec/bytes.ts"
import { fuzz } from "../../support/fuzzing.ts"

const size = (payload: Payload.Payload): number =>
  Object.entries(payload).reduce((sum, [key, value]) => {
    if (key === "type" || key === "reason") return sum
    return typeof value === "string" || value instanceof Uint8Array ? sum + value.length : sum
  }, 0)

it("whatever comes is read without harm", () => {
  const types = new Set<string>()
  fuzz(10_000, bytes(`01 01 02 03 04 "method" 00 "params"`), (input) => {
    const decoded = Payload.decode(input)
    types.add(decoded.type)
    if (size(decoded) > input.length) throw new Error("more was read than came")
  })
  expect([...types].toSorted()).toEqual(["errorReply", "foreign", "invalid", "notification", "reply", "request"])
})
