/**
 * Random and mutated bytes, 90,000 inputs in all: no exception, no hang, bounded memory, the same frames however the
 * input is cut, and nothing that was not in the input. A failing input is printed, with its seed.
 */
import { describe, expect, it } from "vitest"
import * as ClientFrames from "../../../../src/protocol/busrt/codec/clientFrames.ts"
import type { FrameDecoder } from "../../../../src/protocol/busrt/codec/FrameDecoder.ts"
import { ClientHandshake, ServerHandshake } from "../../../../src/protocol/busrt/codec/handshake.ts"
import * as ServerFrames from "../../../../src/protocol/busrt/codec/serverFrames.ts"
import { fuzz, type Numbers } from "../../../support/fuzzing.ts"
import { bytes } from "./bytes.ts"

const frameBytesMax = 4096

const pieces = (below: Numbers, input: Buffer): ReadonlyArray<Buffer> => {
  const chunks: Array<Buffer> = []
  for (let at = 0; at < input.length;) {
    const end = Math.min(input.length, at + 1 + below(20))
    chunks.push(input.subarray(at, end))
    at = end
  }
  return chunks
}

/** All that a frame holds cannot be more than came in: names are at most as many units, payloads as many bytes. */
const size = (frame: object): number =>
  Object.entries(frame).reduce((sum, [key, value]) => {
    if (key === "type" || key === "reason") return sum
    if (Array.isArray(value)) return sum + value.join("").length
    return typeof value === "string" || value instanceof Uint8Array ? sum + value.length : sum
  }, 0)

const outcome = (decoder: FrameDecoder<object>, chunks: ReadonlyArray<Buffer>): string => {
  let malformed: object | undefined
  let held = 0
  const frames: Array<object> = []
  for (const chunk of chunks) {
    held += chunk.length
    const decoded = decoder.push(chunk)
    malformed = decoded.malformed
    for (const frame of decoded.frames) frames.push(frame)
    if (decoder.reservedBytes > frameBytesMax + 9) throw new Error(`${decoder.reservedBytes} bytes are reserved`)
    if (decoder.heldBytes > held) throw new Error("more is held than came")
  }
  const given = frames.reduce((sum, frame) => sum + size(frame), 0)
  if (given > held) throw new Error(`${given} units from ${held} bytes`)
  let text = malformed === undefined ? "" : JSON.stringify(malformed)
  for (const frame of frames) text += describeFrame(frame)
  return text
}

const describeFrame = (frame: object): string =>
  Object.entries(frame)
    .map(
      ([key, value]) => `${key}=${value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : String(value)}`,
    )
    .join()

const fromClient = bytes(
  `00 00 00 00 00 00 00 00 00  01 00 00 00 42 05 00 00 00 "a" 00 "b/#"  02 00 00 00 46 07 00 00 00 "t" 00 "c" 00 "xyz"
   03 00 00 00 12 05 00 00 00 c3 a9 00 "xy"  04 00 00 00 d3 04 00 00 00 "*" 00 ff 00`,
)
const fromBroker = bytes(
  `00 00 00 00 00 00  fe 01 02 03 04 71  12 04 00 00 00 01 "c" 00 "xy"  01 06 00 00 00 00 "c" 00 c3 a9 00 "x"
   13 03 00 00 00 00 "a" 00 "z"`,
)

describe("whatever comes", () => {
  it("a client's frames are read without harm", () => {
    let whole = 0
    fuzz(40_000, fromClient, (input, below) => {
      const expected = outcome(ClientFrames.decoder(frameBytesMax), [input])
      if (outcome(ClientFrames.decoder(frameBytesMax), pieces(below, input)) !== expected)
        throw new Error("cut matters")
      if (expected !== "") whole++
    })
    expect(whole).toBeGreaterThan(10_000)
  })

  it("the broker's frames are read without harm", () => {
    let whole = 0
    fuzz(40_000, fromBroker, (input, below) => {
      const expected = outcome(ServerFrames.decoder(frameBytesMax), [input])
      if (outcome(ServerFrames.decoder(frameBytesMax), pieces(below, input)) !== expected)
        throw new Error("cut matters")
      if (expected !== "") whole++
    })
    expect(whole).toBeGreaterThan(10_000)
  })

  it("handshakes are read without harm", () => {
    const types = new Set<string>()
    fuzz(10_000, bytes(`eb 01 00  06 00 "client"  00 00 00 00 00 00 00 00 00`), (input, below) => {
      const side = below(2) === 0 ? new ServerHandshake() : new ClientHandshake()
      for (const chunk of pieces(below, input)) {
        const steps = side.push(chunk)
        for (const { type } of steps) types.add(type)
        if (steps.some(({ type }) => /name|malformed|registered|refused/.test(type))) return
      }
    })
    expect([...types]).toEqual(expect.arrayContaining(["greeted", "name", "malformed", "refused"]))
  })
})
