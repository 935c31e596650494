/** What is no frame, or none that makes sense: it is told from what is, and costs no memory. */
import { describe, expect, it } from "vitest"
import * as ClientFrames from "../../../../src/protocol/busrt/codec/clientFrames.ts"
import { frameBytesMaxDefault } from "../../../../src/protocol/busrt/codec/FrameDecoder.ts"
import * as ServerFrames from "../../../../src/protocol/busrt/codec/serverFrames.ts"
import { bytes, plain } from "./bytes.ts"

const ping = bytes("00 00 00 00 00 00 00 00 00")
const pingFrame = { type: "ping" }

describe("a frame from a client that makes no sense", () => {
  it.each([
    ["operation 0 with a QoS", `01 00 00 00 40 02 00 00 00 "a" 00`, 0x75],
    ["operation 7", `01 00 00 00 47 02 00 00 00 "a" 00`, 0x75],
    ["operation 0x3f", "01 00 00 00 7f 00 00 00 00", 0x75],
    ["a publish without a topic", "01 00 00 00 41 00 00 00 00", 0x72],
    ["a publish whose topic does not end", `01 00 00 00 41 03 00 00 00 "abc"`, 0x72],
    ["a target that is not UTF-8", "01 00 00 00 52 02 00 00 00 ff 00", 0x72],
    ["half a surrogate pair", "01 00 00 00 52 04 00 00 00 ed a0 80 00", 0x72],
    ["a mask of 1,025 bytes", `01 00 00 00 53 02 04 00 00 "${"a".repeat(1025)}" 00`, 0x72],
    ["a publish without a receiver", `01 00 00 00 46 03 00 00 00 "a" 00 "b"`, 0x72],
    ["a receiver that is not UTF-8", `01 00 00 00 46 04 00 00 00 "a" 00 ff 00`, 0x72],
    ["a subscription to nothing", "01 00 00 00 42 00 00 00 00", 0x72],
    ["a topic that is empty", `01 00 00 00 42 04 00 00 00 "a" 00 00 "b"`, 0x72],
    ["a NUL behind the last topic", `01 00 00 00 42 02 00 00 00 "a" 00`, 0x72],
    ["a topic that is not UTF-8", `01 00 00 00 42 03 00 00 00 "a" 00 80`, 0x72],
    ["a last topic of 1,025 bytes", `01 00 00 00 42 01 04 00 00 "${"a".repeat(1025)}"`, 0x72],
    ["a first topic of 1,025 bytes", `01 00 00 00 42 03 04 00 00 "${"a".repeat(1025)}" 00 "b"`, 0x72],
    ["8,193 topics", `01 00 00 00 42 01 40 00 00 ${`"a" 00 `.repeat(8192)} "a"`, 0x72],
  ])("is given as such, and the next one is read: %s", (_, golden, code) => {
    const decoder = ClientFrames.decoder()
    const { frames, malformed } = decoder.push(Buffer.concat([bytes(golden), ping]))
    expect(malformed).toBeUndefined()
    expect(decoder.heldBytes).toBe(0)
    expect(frames).toEqual([expect.objectContaining({ type: "invalid", opId: 1, qos: 1, code }), pingFrame])
  })

  it("is not the replacement character, which may be in a name", () => {
    const { frames } = ClientFrames.decoder().push(bytes("01 00 00 00 12 04 00 00 00 ef bf bd 00"))
    expect(frames).toMatchObject([{ type: "message", target: "\ufffd" }])
  })

  it("is not one of 8,192 topics, nor one of 1,024 bytes", () => {
    const many = ClientFrames.decoder().push(bytes(`01 00 00 00 42 ff 3f 00 00 ${`"a" 00 `.repeat(8191)} "a"`))
    expect(many.frames).toMatchObject([{ type: "subscribe", topics: Array(8192).fill("a") }])
    const long = ClientFrames.decoder().push(bytes(`01 00 00 00 42 00 04 00 00 "${"a".repeat(1024)}"`))
    expect(long.frames).toMatchObject([{ type: "subscribe", topics: ["a".repeat(1024)] }])
  })
})

describe("a frame from the broker that makes no sense", () => {
  it.each([
    ["a message without a sender", "12 00 00 00 00 00"],
    ["a sender that does not end", `13 01 00 00 00 00 "a"`],
    ["a sender that is not UTF-8", "12 02 00 00 00 00 ff 00"],
    ["a publication without a topic", `01 02 00 00 00 00 "a" 00`],
    ["a topic that does not end", `01 03 00 00 00 00 "a" 00 "b"`],
    ["a topic that is not UTF-8", `01 04 00 00 00 00 "a" 00 ff 00`],
  ])("is given as such, and the next one is read: %s", (_, golden) => {
    const { frames, malformed } = ServerFrames.decoder().push(bytes(`${golden} 00 00 00 00 00 00`))
    expect(malformed).toBeUndefined()
    expect(frames).toEqual([expect.objectContaining({ type: "invalid", code: 0x72 }), { type: "nop" }])
  })

  it("ends the stream where its kind is unknown", () => {
    const decoder = ServerFrames.decoder()
    const { frames, malformed } = decoder.push(bytes("00 00 00 00 00 00  02 00 00 00 00 00  00 00 00 00 00 00"))
    expect(frames).toEqual([{ type: "nop" }])
    expect(malformed).toMatchObject({ code: 0x75 })
    expect(decoder.push(bytes("00 00 00 00 00 00"))).toEqual({ frames: [], malformed })
  })
})

describe("a length", () => {
  it.each([
    ["one more than allowed", "01 00 00 01"],
    ["2 GiB, which looks negative", "00 00 00 80"],
    ["-1", "ff ff ff ff"],
  ])("ends the stream at once where it is too large: %s", (_, length) => {
    expect(frameBytesMaxDefault).toBe(0x01000000)
    const stream = Buffer.concat([ping, bytes(`01 00 00 00 12 ${length}`)])
    const byteByByte = ClientFrames.decoder()
    const cut = [...stream].map((byte) => byteByByte.push(Buffer.of(byte)))
    expect(cut.flatMap(({ frames }) => frames)).toEqual([pingFrame])
    expect(cut.at(-2)!.malformed).toBeUndefined()
    expect(cut.at(-1)!.malformed).toMatchObject({ code: 0x72 })
    expect(byteByByte.reservedBytes).toBe(0)
    const whole = ClientFrames.decoder()
    expect(whole.push(stream)).toMatchObject({ frames: [pingFrame], malformed: { code: 0x72 } })
    expect(whole.push(ping)).toMatchObject({ frames: [], malformed: { code: 0x72 } })
    expect(whole.reservedBytes).toBe(0)
    expect(ServerFrames.decoder().push(bytes(`12 ${length} 00`))).toMatchObject({
      frames: [],
      malformed: { code: 0x72 },
    })
  })

  it("may be as large as allowed, and as configured", () => {
    const ten = bytes(`01 00 00 00 12 0a 00 00 00 "a" 00 "payload."`)
    expect(ClientFrames.decoder(10).push(ten).frames).toHaveLength(1)
    expect(ClientFrames.decoder(9).push(ten)).toMatchObject({ frames: [], malformed: { code: 0x72 } })
    const announced = ClientFrames.decoder(2 ** 32).push(bytes("01 00 00 00 12 ff ff ff ff"))
    expect(announced).toEqual({ frames: [], malformed: undefined })
  })

  it("that is cut off is no frame yet", () => {
    const decoder = ClientFrames.decoder()
    expect(decoder.push(bytes("01 00 00 00 12 03 00"))).toEqual({ frames: [], malformed: undefined })
    expect(decoder.heldBytes).toBe(7)
    expect(decoder.push(bytes(`00 00 "a" 00 "x"`)).frames).toHaveLength(1)
    expect(decoder.heldBytes).toBe(0)
  })
})

describe("memory", () => {
  it("is taken for what has come, not for what was announced", () => {
    const decoder = ClientFrames.decoder()
    decoder.push(bytes("01 00 00 00 12 00 00 00 01"))
    expect(decoder.reservedBytes).toBeLessThanOrEqual(64 * 1024)
    const chunk = Buffer.alloc(50_000, "a")
    for (let i = 0; i < 40; i++) {
      decoder.push(chunk)
      expect(decoder.reservedBytes).toBeLessThanOrEqual(2 * decoder.heldBytes + 64 * 1024)
    }
    expect(decoder.heldBytes).toBe(2_000_009)
  })

  it("of a whole frame is that of its chunk, and that of a frame in pieces its own", () => {
    const golden = bytes(`01 00 00 00 12 04 00 00 00 "a" 00 "xy"`)
    const payload = (chunks: ReadonlyArray<Buffer>): Uint8Array => {
      const decoder = ClientFrames.decoder()
      const [frame] = chunks.flatMap((chunk) => decoder.push(chunk).frames)
      return frame?.type === "message" ? frame.payload : expect.fail("no message")
    }
    expect(payload([golden]).buffer).toBe(golden.buffer)
    const second = Buffer.from(golden.subarray(12))
    const pieced = payload([golden.subarray(0, 12), second])
    second.fill(0)
    expect(pieced).toEqual(plain(`"xy"`))
  })
})
