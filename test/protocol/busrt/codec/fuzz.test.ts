/**
 * Random and mutated bytes, 100,000 inputs in all: no exception, no hang, bounded memory, the same frames however the
 * input is cut, and nothing that was not in the input. A failing input is printed, with its seed.
 */
import { describe, expect, it } from "vitest"
import * as ClientFrames from "../../../../src/protocol/busrt/codec/clientFrames.ts"
import type { FrameDecoder } from "../../../../src/protocol/busrt/codec/FrameDecoder.ts"
import { ClientHandshake, ServerHandshake } from "../../../../src/protocol/busrt/codec/handshake.ts"
import * as Rpc from "../../../../src/protocol/busrt/codec/rpc.ts"
import * as ServerFrames from "../../../../src/protocol/busrt/codec/serverFrames.ts"
import { bytes } from "./bytes.ts"

const frameBytesMax = 4096

/** Numbers below a bound, the same for the same seed (mulberry32). */
const numbers = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

type Numbers = ReturnType<typeof numbers>

const interesting = [0x00, 0x01, 0x06, 0x12, 0x13, 0x42, 0x7f, 0x80, 0xeb, 0xfe, 0xff]

const random = (below: Numbers): Buffer => {
  const made = Buffer.alloc(below(64))
  for (let i = 0; i < made.length; i++) made[i] = below(2) === 0 ? interesting[below(interesting.length)]! : below(256)
  return made
}

const mutated = (below: Numbers, source: Buffer): Buffer => {
  const made = Buffer.from(source)
  for (let changes = 1 + below(4); changes > 0; changes--) {
    const at = below(made.length)
    if (below(2) === 0) made[at] = interesting[below(interesting.length)]!
    else made[at] = made[at]! ^ (1 << below(8))
  }
  const from = below(4) === 0 ? below(made.length) : 0
  return made.subarray(from, below(4) === 0 ? from + below(made.length - from) : made.length)
}

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
    return typeof value === "string" || Buffer.isBuffer(value) ? sum + value.length : sum
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
    .map(([key, value]) => `${key}=${Buffer.isBuffer(value) ? value.toString("latin1") : String(value)}`)
    .join()

const fuzz = (inputs: number, source: Buffer, check: (input: Buffer, below: Numbers) => void): void => {
  const first = Math.floor(Math.random() * 2 ** 31)
  for (let seed = first; seed < first + inputs; seed++) {
    const below = numbers(seed)
    const input = below(3) === 0 ? random(below) : mutated(below, source)
    try {
      check(input, below)
    } catch (cause) {
      throw new Error(`seed ${seed}, input ${input.toString("hex")}`, { cause })
    }
  }
}

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

  it("RPC payloads are read without harm", () => {
    const types = new Set<string>()
    fuzz(10_000, bytes(`01 01 02 03 04 "method" 00 "params"`), (input) => {
      const decoded = Rpc.decode(input)
      types.add(decoded.type)
      if (size(decoded) > input.length) throw new Error("more was read than came")
    })
    expect([...types].toSorted()).toEqual(["errorReply", "invalid", "notification", "reply", "request"])
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
