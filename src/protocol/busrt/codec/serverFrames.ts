/**
 * Frames from the broker to a client.
 *
 * `u8 kind · u32 · u8 · body`, in little-endian order: the number is the length of the body, or the op-id in an ack; the
 * last byte is the result in an ack, elsewhere 1 where the frame is realtime and else 0.
 *
 * A frame whose body does not say what its kind needs is given as `invalid`: the stream behind it is intact. Behind a
 * frame of an unknown kind it is not.
 */
import { FrameDecoder, type FrameLayout } from "./FrameDecoder.ts"
import { FrameWriter, nameRoom } from "./FrameWriter.ts"
import { readU32, view } from "./memory.ts"
import { nameEnd, readName } from "./names.ts"
import { ResultCode } from "./results.ts"

export const Kind = {
  nop: 0x00,
  publication: 0x01,
  message: 0x12,
  broadcast: 0x13,
  ack: 0xfe,
} as const

export type ServerFrame =
  /** Only keeps the connection alive. */
  | { readonly type: "nop" }
  /** The result is a `ResultCode` where the broker keeps to the protocol. */
  | { readonly type: "ack"; readonly opId: number; readonly result: number }
  | {
      readonly type: "message" | "broadcast"
      readonly sender: string
      readonly realtime: boolean
      readonly payload: Uint8Array
    }
  | {
      readonly type: "publication"
      readonly sender: string
      readonly topic: string
      readonly realtime: boolean
      readonly payload: Uint8Array
    }
  | { readonly type: "invalid"; readonly code: ResultCode; readonly reason: string }

const headerBytes = 6
const numberAt = 1
const lastAt = 5

const nop: ServerFrame = { type: "nop" }

const invalid = (reason: string): ServerFrame => ({ type: "invalid", code: ResultCode.data, reason })

const layout: FrameLayout<ServerFrame> = {
  headerBytes,
  bodyBytes: (bytes, at) => {
    const kind = bytes[at]!
    switch (kind) {
      case Kind.nop:
      case Kind.ack:
        return 0
      case Kind.message:
      case Kind.broadcast:
      case Kind.publication:
        return readU32(bytes, at + numberAt)
      default:
        return { code: ResultCode.notSupported, reason: `there is no kind of frame 0x${kind.toString(16)}` }
    }
  },
  read: (bytes, at, end) => {
    const kind = bytes[at]!
    if (kind === Kind.nop) return nop
    const last = bytes[at + lastAt]!
    if (kind === Kind.ack) return { type: "ack", opId: readU32(bytes, at + numberAt), result: last }
    const realtime = last !== 0
    const body = at + headerBytes
    const nul = nameEnd(bytes, body, end)
    const sender = nul === -1 ? undefined : readName(bytes, body, nul)
    if (sender === undefined) return invalid("a frame begins with its sender, a name in UTF-8 that ends in NUL")
    if (kind !== Kind.publication) {
      const type = kind === Kind.message ? "message" : "broadcast"
      return { type, sender, realtime, payload: view(bytes, nul + 1, end) }
    }
    const second = nameEnd(bytes, nul + 1, end)
    const topic = second === -1 ? undefined : readName(bytes, nul + 1, second)
    if (topic === undefined) return invalid("the topic is a name in UTF-8 that ends in NUL")
    return { type: "publication", sender, topic, realtime, payload: view(bytes, second + 1, end) }
  },
}

/** Decodes what the broker sends after the handshake. */
export const decoder = (frameBytesMax?: number): FrameDecoder<ServerFrame> => new FrameDecoder(layout, frameBytesMax)

/** Writes what the broker sends. A frame for many clients is written once, and its bytes appended for each. */
export class ServerFrameWriter extends FrameWriter {
  nop(): void {
    this.begin(headerBytes)
    this.#header(Kind.nop, 0, 0)
  }

  ack(opId: number, result: ResultCode): void {
    this.begin(headerBytes)
    this.#header(Kind.ack, opId, result)
  }

  message(sender: string, payload: Uint8Array, realtime: boolean): void {
    this.#sent(Kind.message, sender, payload, realtime)
  }

  broadcast(sender: string, payload: Uint8Array, realtime: boolean): void {
    this.#sent(Kind.broadcast, sender, payload, realtime)
  }

  publication(sender: string, topic: string, payload: Uint8Array, realtime: boolean): void {
    this.begin(headerBytes + nameRoom(sender) + nameRoom(topic) + payload.byteLength)
    this.#header(Kind.publication, 0, realtime ? 1 : 0)
    this.name(sender)
    this.u8(0)
    this.name(topic)
    this.u8(0)
    this.raw(payload)
    this.end(headerBytes, numberAt)
  }

  #sent(kind: number, sender: string, payload: Uint8Array, realtime: boolean): void {
    this.begin(headerBytes + nameRoom(sender) + payload.byteLength)
    this.#header(kind, 0, realtime ? 1 : 0)
    this.name(sender)
    this.u8(0)
    this.raw(payload)
    this.end(headerBytes, numberAt)
  }

  #header(kind: number, number: number, last: number): void {
    this.u8(kind)
    this.u32(number)
    this.u8(last)
  }
}
