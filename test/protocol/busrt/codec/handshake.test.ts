import { describe, expect, it } from "vitest"
import * as Handshake from "../../../../src/protocol/busrt/codec/handshake.ts"
import { ResultCode } from "../../../../src/protocol/busrt/codec/results.ts"
import { bytes, plain } from "./bytes.ts"

const cuts = (stream: Buffer): ReadonlyArray<ReadonlyArray<Buffer>> => [
  [stream],
  [...stream].map((byte) => Buffer.of(byte)),
  ...[...stream.keys()].map((at) => [stream.subarray(0, at), stream.subarray(at)]),
]

const server = (chunks: ReadonlyArray<Buffer>): ReadonlyArray<Handshake.ServerStep> => {
  const side = new Handshake.ServerHandshake()
  return chunks.flatMap((chunk) => side.push(chunk))
}

const client = (chunks: ReadonlyArray<Buffer>): ReadonlyArray<Handshake.ClientStep> => {
  const side = new Handshake.ClientHandshake()
  return chunks.flatMap((chunk) => side.push(chunk))
}

const none = Buffer.alloc(0)

describe("a client's side of the handshake", () => {
  it("gives the name, however it is cut", () => {
    for (const chunks of cuts(bytes("eb 01 00  04 00  63 c3 a9 31"))) {
      expect(server(chunks)).toEqual([{ type: "greeted" }, { type: "name", name: "cé1", rest: none }])
    }
  })

  it("gives back what follows it", () => {
    expect(server([bytes(`eb 01 00  01 00 "a"  00 00 00 00 00 00 00 00 00`)])).toEqual([
      { type: "greeted" },
      { type: "name", name: "a", rest: Buffer.alloc(9) },
    ])
  })

  it("gives an empty name, for the broker to refuse", () => {
    expect(server([bytes("eb 01 00  00 00")])).toEqual([{ type: "greeted" }, { type: "name", name: "", rest: none }])
  })

  it.each([
    ["another protocol", `"GET"`, 0x75, 0],
    ["version 2", "eb 02 00", 0x75, 0],
    ["version 257", "eb 01 01", 0x75, 0],
    ["a name of 4,092 bytes", "eb 01 00  fc 0f", 0x72, 1],
    ["a name of 65,535 bytes", "eb 01 00  ff ff", 0x72, 1],
    ["a name that is not UTF-8", "eb 01 00  02 00  c3 28", 0x72, 1],
  ])("is malformed, with its code: %s", (_, stream, code, greeted) => {
    for (const chunks of cuts(bytes(stream))) {
      const all = server(chunks)
      expect(all).toHaveLength(greeted + 1)
      expect(all[greeted]).toMatchObject({ type: "malformed", code })
    }
  })

  it("may have a name of 4,091 bytes", () => {
    const stream = Buffer.concat([bytes("eb 01 00  fb 0f"), Buffer.alloc(4091, "a")])
    expect(server([stream])[1]).toEqual({ type: "name", name: "a".repeat(4091), rest: none })
  })

  it("is over when it is over", () => {
    const side = new Handshake.ServerHandshake()
    side.push(bytes(`"GET"`))
    expect(() => side.push(bytes("00"))).toThrow("over")
  })
})

describe("the server's side of the handshake", () => {
  it("is the same however it is cut", () => {
    for (const chunks of cuts(bytes("eb 01 00  01  01"))) {
      expect(client(chunks)).toEqual([{ type: "greeted" }, { type: "accepted" }, { type: "registered", rest: none }])
    }
  })

  it("gives back the frames that follow it", () => {
    const steps = client([bytes("eb 01 00  01  01  00 00 00 00 00 00")])
    expect(steps.at(-1)).toEqual({ type: "registered", rest: Buffer.alloc(6) })
  })

  it.each([
    ["eb 01 00  75", ["greeted"], 0x75],
    ["eb 01 00  01  71", ["greeted", "accepted"], 0x71],
    ["eb 01 00  01  72", ["greeted", "accepted"], 0x72],
    ["eb 01 00  01  76", ["greeted", "accepted"], 0x76],
    ["eb 01 00  01  79", ["greeted", "accepted"], 0x79],
    ["eb 01 00  01  00", ["greeted", "accepted"], 0x00],
  ])("may be a no: %s", (stream, before, result) => {
    for (const chunks of cuts(bytes(stream))) {
      expect(client(chunks)).toEqual([...before.map((type) => ({ type })), { type: "refused", result }])
    }
  })

  it("is malformed where it is another protocol or version", () => {
    expect(client([bytes(`"HTT"`)])).toMatchObject([{ type: "malformed", code: 0x75 }])
    expect(client([bytes("eb 02 00")])).toMatchObject([{ type: "malformed", code: 0x75 }])
  })
})

describe("the handshake is written", () => {
  it("as the protocol says", () => {
    expect(Buffer.from(Handshake.greeting)).toEqual(bytes("eb 01 00"))
    expect(Handshake.registration("c1")).toEqual(plain(`02 00 "c1"`))
    expect(Handshake.registration("a".repeat(300))).toEqual(plain(`2c 01 "${"a".repeat(300)}"`))
    expect(() => Handshake.registration("a".repeat(4092))).toThrow(RangeError)
    const results = Object.values(ResultCode).map((code) => Buffer.from(Handshake.resultByte(code)))
    expect(Buffer.concat(results)).toEqual(bytes("01 71 72 73 74 75 76 77 78 79"))
  })
})
