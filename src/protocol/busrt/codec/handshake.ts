/**
 * The handshake: what both sides say before the first frame.
 *
 *     server  EB 01 00            greeting and protocol version
 *     client  EB 01 00            the same
 *     server  01, or 75 and close
 *     client  u16 length, name
 *     server  01, or a result code and close
 *
 * Both readers take chunks as they come, and give what they complete; what follows the handshake in the same chunk is
 * given back as `rest`. Neither keeps more than a few bytes and one name.
 */
import { readU16 } from "./memory.ts"
import { readName } from "./names.ts"
import { ResultCode, type Malformed } from "./results.ts"

export const protocolVersion = 1

const encoder = new TextEncoder()

const magic = 0xeb
const greetingBytes = 3
const lengthBytes = 2

/** All that is read of a client before its handshake is done. */
export const handshakeBytesMax = 4096
const nameBytesMax = handshakeBytesMax - greetingBytes - lengthBytes

/** What either side begins with. */
export const greeting: Uint8Array = Uint8Array.of(magic, protocolVersion & 0xff, protocolVersion >>> 8)

/** A result, as the server says it during the handshake. */
export const resultByte = (code: ResultCode): Uint8Array => Uint8Array.of(code)

/** How a client registers. Whether the name obeys the rules is for the broker to judge. */
export const registration = (name: string): Uint8Array => {
  const bytes = encoder.encode(name)
  if (bytes.length > nameBytesMax) throw new RangeError(`a name in a handshake is at most ${nameBytesMax} bytes long`)
  const written = new Uint8Array(lengthBytes + bytes.length)
  written[0] = bytes.length
  written[1] = bytes.length >>> 8
  written.set(bytes, lengthBytes)
  return written
}

/** Collects a known number of bytes from chunks. */
class Piece {
  readonly #bytes: Uint8Array
  #held = 0

  constructor(bytes: number) {
    this.#bytes = new Uint8Array(bytes)
  }

  /** Takes what is missing from the chunk at `at`. Gives the place behind it. */
  take(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.byteLength, at + this.#bytes.length - this.#held)
    this.#bytes.set(chunk.subarray(at, end), this.#held)
    this.#held += end - at
    return end
  }

  /** The bytes, once they are all there. */
  get whole(): Uint8Array | undefined {
    return this.#held === this.#bytes.length ? this.#bytes : undefined
  }
}

const greetingProblem = (bytes: Uint8Array): Malformed | undefined => {
  if (bytes[0] !== magic) return { code: ResultCode.notSupported, reason: "the greeting is not that of BUS/RT" }
  const version = readU16(bytes, 1)
  return version === protocolVersion
    ? undefined
    : { code: ResultCode.notSupported, reason: `version ${version} of the protocol is not supported` }
}

export type HandshakeStep =
  /** The other side greeted as it should. */
  | { readonly type: "greeted" }
  /** What was said is not the handshake; nothing more is read. */
  | (Malformed & { readonly type: "malformed" })

export type ServerStep =
  | HandshakeStep
  /** The client's name, and what it has sent behind it. */
  | { readonly type: "name"; readonly name: string; readonly rest: Uint8Array }

/** Reads a client's side. A `greeted` is answered with ok, a `malformed` with its code, a `name` as the broker decides. */
export class ServerHandshake {
  #expects: "greeting" | "length" | "name" | "nothing" = "greeting"
  #piece = new Piece(greetingBytes)

  /** Throws once the handshake is over: what comes then is no part of it. */
  push(chunk: Uint8Array): ReadonlyArray<ServerStep> {
    if (this.#expects === "nothing") throw new Error("the handshake is over")
    const steps: Array<ServerStep> = []
    let at = 0
    while (true) {
      at = this.#piece.take(chunk, at)
      const whole = this.#piece.whole
      if (whole === undefined) return steps
      const step = this.#step(whole, chunk, at)
      if (step !== undefined) steps.push(step)
      if (step !== undefined && step.type !== "greeted") {
        this.#expects = "nothing"
        return steps
      }
    }
  }

  #step(bytes: Uint8Array, chunk: Uint8Array, at: number): ServerStep | undefined {
    if (this.#expects === "greeting") {
      const wrong = greetingProblem(bytes)
      if (wrong !== undefined) return { type: "malformed", ...wrong }
      this.#expect("length", lengthBytes)
      return { type: "greeted" }
    }
    if (this.#expects === "length") {
      const length = readU16(bytes, 0)
      if (length > nameBytesMax) {
        const reason = `a name in a handshake is at most ${nameBytesMax} bytes long, this one has ${length}`
        return { type: "malformed", code: ResultCode.data, reason }
      }
      this.#expect("name", length)
      return undefined
    }
    const name = readName(bytes, 0, bytes.length)
    return name === undefined
      ? { type: "malformed", code: ResultCode.data, reason: "the name is not UTF-8" }
      : { type: "name", name, rest: chunk.subarray(at) }
  }

  #expect(what: "length" | "name", bytes: number): void {
    this.#expects = what
    this.#piece = new Piece(bytes)
  }
}

export type ClientStep =
  | HandshakeStep
  /** The server speaks our version: the name is due. */
  | { readonly type: "accepted" }
  /** The name is registered; frames follow, the first of them perhaps already here. */
  | { readonly type: "registered"; readonly rest: Uint8Array }
  /** The server said no, by a `ResultCode` where it keeps to the protocol. */
  | { readonly type: "refused"; readonly result: number }

/** Reads a server's side. A `greeted` is answered with the greeting, an `accepted` with the registration. */
export class ClientHandshake {
  #expects: "greeting" | "version" | "registration" | "nothing" = "greeting"
  #piece = new Piece(greetingBytes)

  /** Throws once the handshake is over: what comes then is no part of it. */
  push(chunk: Uint8Array): ReadonlyArray<ClientStep> {
    if (this.#expects === "nothing") throw new Error("the handshake is over")
    const steps: Array<ClientStep> = []
    let at = 0
    while (true) {
      at = this.#piece.take(chunk, at)
      const whole = this.#piece.whole
      if (whole === undefined) return steps
      const step = this.#step(whole, chunk, at)
      steps.push(step)
      if (step.type !== "greeted" && step.type !== "accepted") {
        this.#expects = "nothing"
        return steps
      }
      this.#piece = new Piece(1)
    }
  }

  #step(bytes: Uint8Array, chunk: Uint8Array, at: number): ClientStep {
    if (this.#expects === "greeting") {
      const wrong = greetingProblem(bytes)
      if (wrong !== undefined) return { type: "malformed", ...wrong }
      this.#expects = "version"
      return { type: "greeted" }
    }
    const result = bytes[0]!
    if (result !== ResultCode.ok) return { type: "refused", result }
    if (this.#expects === "registration") return { type: "registered", rest: chunk.subarray(at) }
    this.#expects = "registration"
    return { type: "accepted" }
  }
}
