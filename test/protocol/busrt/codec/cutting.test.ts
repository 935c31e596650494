/** However a stream is cut, its frames are the same; and what is written is what is read. */
import { describe, expect, it } from "vitest"
import * as fc from "fast-check"
import {
  type ClientFrame,
  ClientFrameWriter,
  decoder as clientDecoder,
} from "../../../../src/protocol/busrt/codec/clientFrames.ts"
import type { Decoded, FrameDecoder } from "../../../../src/protocol/busrt/codec/FrameDecoder.ts"
import type { Qos } from "../../../../src/protocol/busrt/codec/qos.ts"
import {
  decoder as serverDecoder,
  type ServerFrame,
  ServerFrameWriter,
} from "../../../../src/protocol/busrt/codec/serverFrames.ts"
import { bytes } from "./bytes.ts"

const name = fc.string({ unit: fc.constantFrom("a", "b", "/", ".", "é", "😀", "\ufffd"), minLength: 1, maxLength: 60 })
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
  // Larger than what a writer and a decoder take at once.
  fc.integer({ min: 60_000, max: 200_000 }).map((length) => Buffer.alloc(length, "payload")),
)

const asked = { opId: fc.nat({ max: 2 ** 32 - 1 }), qos: fc.constantFrom<Qos>(0, 1, 2, 3) }
const sent = { sender: name, realtime: fc.boolean(), payload }

const clientFrame: fc.Arbitrary<ClientFrame> = fc.oneof(
  fc.constant<ClientFrame>({ type: "ping" }),
  fc.record({ type: fc.constant("publish" as const), ...asked, topic: name, payload }),
  fc.record({ type: fc.constant("publishFor" as const), ...asked, topic: name, receiver: name, payload }),
  fc.record({ type: fc.constant("message" as const), ...asked, target: name, payload }),
  fc.record({ type: fc.constant("broadcast" as const), ...asked, mask: name, payload }),
  fc.record({
    type: fc.constantFrom("subscribe" as const, "unsubscribe" as const, "exclude" as const, "unexclude" as const),
    ...asked,
    topics: fc.array(name, { minLength: 1, maxLength: 5 }),
  }),
)

const serverFrame: fc.Arbitrary<ServerFrame> = fc.oneof(
  fc.constant<ServerFrame>({ type: "nop" }),
  fc.record({ type: fc.constant("ack" as const), opId: asked.opId, result: fc.constantFrom(0x01, 0x71, 0x79) }),
  fc.record({ type: fc.constantFrom("message" as const, "broadcast" as const), ...sent }),
  fc.record({ type: fc.constant("publication" as const), ...sent, topic: name }),
)

const writeClient = (to: ClientFrameWriter, frame: ClientFrame): void => {
  if (frame.type === "ping") return to.ping()
  if (frame.type === "publish") return to.publish(frame.opId, frame.qos, frame.topic, frame.payload)
  if (frame.type === "message") return to.message(frame.opId, frame.qos, frame.target, frame.payload)
  if (frame.type === "broadcast") return to.broadcast(frame.opId, frame.qos, frame.mask, frame.payload)
  if (frame.type === "publishFor") {
    return to.publishFor(frame.opId, frame.qos, frame.topic, frame.receiver, frame.payload)
  }
  if (frame.type !== "invalid") return to.topics(frame.type, frame.opId, frame.qos, frame.topics)
}

const writeServer = (to: ServerFrameWriter, frame: ServerFrame): void => {
  if (frame.type === "nop") return to.nop()
  if (frame.type === "ack") return to.ack(frame.opId, frame.result as 1)
  if (frame.type === "message") return to.message(frame.sender, frame.payload, frame.realtime)
  if (frame.type === "broadcast") return to.broadcast(frame.sender, frame.payload, frame.realtime)
  if (frame.type === "publication") return to.publication(frame.sender, frame.topic, frame.payload, frame.realtime)
}

const decoded = <F>(decoder: FrameDecoder<F>, chunks: ReadonlyArray<Uint8Array>): Decoded<F> => {
  const all = chunks.map((chunk) => decoder.push(chunk))
  return { frames: all.flatMap(({ frames }) => frames), malformed: all.at(-1)?.malformed }
}

const cut = (stream: Uint8Array, at: ReadonlyArray<number>): ReadonlyArray<Buffer> => {
  const places = [0, ...at.map((place) => place % (stream.length + 1)).toSorted((a, b) => a - b), stream.length]
  return places.slice(1).map((end, i) => Buffer.from(stream.subarray(places[i], end)))
}

/** Equal, and quickly so where payloads are large. */
const sameFrames = (actual: ReadonlyArray<object>, expected: ReadonlyArray<object>): void => {
  const comparable = (frame: object) =>
    "payload" in frame ? { ...frame, payload: Buffer.from(frame.payload as Uint8Array).toString("latin1") } : frame
  expect(actual.map(comparable)).toEqual(expected.map(comparable))
}

describe("a stream that is cut in two, anywhere", () => {
  it.each([
    [
      "from a client",
      clientDecoder,
      `00 00 00 00 00 ff ff ff ff  01 00 00 00 42 05 00 00 00 "a" 00 c3 a9 2f  02 00 00 00 46 07 00 00 00 "t" 00 "c" 00 "xyz"
       03 00 00 00 7f 02 00 00 00 "zz"  04 00 00 00 12 01 00 00 00 "a"  05 00 00 00 d3 04 00 00 00 "*" 00 ff 00
       06 00 00 00 12 00 00 00 ff "never read"`,
    ],
    [
      "from the broker",
      serverDecoder,
      `00 00 00 00 00 00  fe 01 02 03 04 71  12 04 00 00 00 01 "c" 00 "xy"  01 05 00 00 00 00 "c" 00 "t" 00 "x"
       13 01 00 00 00 00 "a"  99 00 00 00 00 00 "never read"`,
    ],
  ])("gives the same frames: %s", (_, decoder, golden) => {
    const stream = bytes(golden)
    const whole = (decoder() as FrameDecoder<object>).push(stream)
    expect(whole.frames.length).toBeGreaterThan(4)
    expect(whole.malformed).toBeDefined()
    for (let at = 0; at <= stream.length; at++) {
      expect(decoded<object>(decoder(), [stream.subarray(0, at), stream.subarray(at)])).toEqual(whole)
    }
    expect(
      decoded<object>(
        decoder(),
        [...stream].map((byte) => Uint8Array.of(byte)),
      ),
    ).toEqual(whole)
  })
})

describe("a stream that is cut at random", () => {
  const cuts = fc.array(fc.nat(), { maxLength: 12 })

  it("gives what was written: from a client", () => {
    const writer = new ClientFrameWriter()
    fc.assert(
      fc.property(fc.array(clientFrame, { maxLength: 12 }), cuts, (frames, at) => {
        for (const frame of frames) writeClient(writer, frame)
        const { frames: actual, malformed } = decoded(clientDecoder(), cut(writer.finish(), at))
        expect(malformed).toBeUndefined()
        sameFrames(actual, frames)
      }),
      { numRuns: 200 },
    )
  })

  it("gives what was written: from the broker", () => {
    const writer = new ServerFrameWriter()
    fc.assert(
      fc.property(fc.array(serverFrame, { maxLength: 12 }), cuts, (frames, at) => {
        for (const frame of frames) writeServer(writer, frame)
        const { frames: actual, malformed } = decoded(serverDecoder(), cut(writer.finish(), at))
        expect(malformed).toBeUndefined()
        sameFrames(actual, frames)
      }),
      { numRuns: 200 },
    )
  })
})

describe("a writer", () => {
  it("leaves alone what it has finished", () => {
    const writer = new ServerFrameWriter()
    const finished = Array.from({ length: 2000 }, (_, i) => {
      writer.message(`client${i}`, Buffer.alloc(i % 300, i), false)
      return writer.finish()
    })
    for (const [i, written] of finished.entries()) {
      const payload = new Uint8Array(i % 300).fill(i)
      expect(serverDecoder().push(written).frames).toMatchObject([{ sender: `client${i}`, payload }])
    }
    expect(writer.bytes).toBe(0)
    expect(writer.finish()).toHaveLength(0)
  })

  it("takes frames that were encoded before", () => {
    const [one, all] = [new ServerFrameWriter(), new ServerFrameWriter()]
    one.broadcast("c", Buffer.from("x"), true)
    const frame = one.finish()
    all.nop()
    all.append(frame)
    all.append(frame)
    expect(
      serverDecoder()
        .push(all.finish())
        .frames.map(({ type }) => type),
    ).toEqual(["nop", "broadcast", "broadcast"])
  })

  it("refuses what fits into no frame, and keeps the others whole", () => {
    const writer = new ClientFrameWriter()
    writer.ping()
    for (const name of ["a\0b", `${"a".repeat(60)}\0`, "é\0", "a".repeat(1025), "é".repeat(513)]) {
      expect(() => writer.message(1, 0, name, Buffer.from("x"))).toThrow(RangeError)
      expect(() => writer.publishFor(1, 0, "topic", name, Buffer.from("x"))).toThrow(RangeError)
      expect(() => writer.topics("subscribe", 1, 0, ["a", name])).toThrow(RangeError)
    }
    for (const opId of [-1, 2 ** 32, 1.5, NaN])
      expect(() => writer.publish(opId, 0, "a", Buffer.from("x"))).toThrow(RangeError)
    expect(() => writer.topics("subscribe", 1, 0, [])).toThrow(RangeError)
    writer.message(1, 0, "é".repeat(512), Buffer.from("x"))
    const server = new ServerFrameWriter()
    expect(() => server.ack(-1, 0x01)).toThrow(RangeError)
    expect(server.bytes).toBe(0)
    expect(
      clientDecoder()
        .push(writer.finish())
        .frames.map(({ type }) => type),
    ).toEqual(["ping", "message"])
  })
})
