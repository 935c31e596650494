/**
 * From chunks, as they come from a socket, to frames: gives all whole frames of a chunk at once, and keeps what is begun
 * until the rest comes. Plain synchronous code, the same for both directions, which differ in their `FrameLayout`.
 *
 * - However the stream is cut, the frames are the same.
 * - A frame that is whole in its chunk is a view of it: who keeps a payload keeps the chunk. A frame in pieces is copied
 *   into memory of its own, each byte at most twice and some.
 * - A length is checked before anything is allocated for it, and what is allocated grows with what has come, not with
 *   what was announced.
 * - A stream that cannot be understood any further is malformed for good: whoever reads it answers and closes.
 */
import { allocate, view } from "./memory.ts"
import { ResultCode, type Malformed } from "./results.ts"

/** Bodies that are longer end the stream, unless it is configured otherwise. */
export const frameBytesMaxDefault = 16 * 1024 * 1024

/** What is allocated at once for a frame in pieces; more only when it is filled. */
const firstBytesMax = 64 * 1024

export interface FrameLayout<F> {
  readonly headerBytes: number
  /** The length of the body that follows the whole header at `at`, or why there is no telling. */
  readonly bodyBytes: (bytes: Uint8Array, at: number) => number | Malformed
  /** The frame that is whole between two places. */
  readonly read: (bytes: Uint8Array, at: number, end: number) => F
}

export interface Decoded<F> {
  readonly frames: ReadonlyArray<F>
  /** The stream ended in something that is no frame, after the frames given. */
  readonly malformed: Malformed | undefined
}

export class FrameDecoder<F> {
  readonly #layout: FrameLayout<F>
  readonly #frameBytesMax: number
  /** A frame that is begun: its first `#held` bytes are here. */
  #begun: Uint8Array | undefined
  #held = 0
  #malformed: Malformed | undefined

  constructor(layout: FrameLayout<F>, frameBytesMax = frameBytesMaxDefault) {
    this.#layout = layout
    this.#frameBytesMax = frameBytesMax
  }

  /** How many bytes are kept of a frame that is begun. */
  get heldBytes(): number {
    return this.#held
  }

  /** How much memory is taken for a frame that is begun. */
  get reservedBytes(): number {
    return this.#begun?.length ?? 0
  }

  /** The frames that the chunk completes. The chunk must not be changed afterwards: payloads are views of it. */
  push(bytes: Uint8Array): Decoded<F> {
    const frames: Array<F> = []
    let at = this.#held > 0 ? this.#resume(bytes, frames) : 0
    while (this.#malformed === undefined && at < bytes.length) {
      const total = this.#totalBytes(bytes, at)
      if (total === undefined || at + total > bytes.length) {
        if (this.#malformed === undefined) this.#keep(bytes, at, total)
        break
      }
      frames.push(this.#layout.read(bytes, at, at + total))
      at += total
    }
    return { frames, malformed: this.#malformed }
  }

  /** The length of the frame at `at`; undefined where its header is not whole or makes no sense. */
  #totalBytes(bytes: Uint8Array, at: number, end = bytes.length): number | undefined {
    const { headerBytes, bodyBytes } = this.#layout
    if (end - at < headerBytes) return undefined
    const body = bodyBytes(bytes, at)
    if (typeof body !== "number") {
      this.#malformed = body
      return undefined
    }
    if (body > this.#frameBytesMax) {
      this.#malformed = {
        code: ResultCode.data,
        reason: `a frame is at most ${this.#frameBytesMax} bytes long, this one has ${body}`,
      }
      return undefined
    }
    return headerBytes + body
  }

  /** Keeps a frame that is begun at the end of a chunk. */
  #keep(bytes: Uint8Array, at: number, total: number | undefined): void {
    this.#reserve(bytes.length - at, total)
    this.#take(bytes, at, bytes.length)
  }

  /** Goes on with the frame that is begun. Gives how much of the chunk was its. */
  #resume(bytes: Uint8Array, frames: Array<F>): number {
    const { headerBytes, read } = this.#layout
    const at = this.#held < headerBytes ? Math.min(headerBytes - this.#held, bytes.length) : 0
    if (at > 0) this.#take(bytes, 0, at)
    const total = this.#totalBytes(this.#begun!, 0, this.#held)
    if (total === undefined) {
      if (this.#malformed !== undefined) this.#drop()
      return at
    }
    const end = Math.min(at + total - this.#held, bytes.length)
    this.#reserve(this.#held + end - at, total)
    this.#take(bytes, at, end)
    if (this.#held === total) {
      const whole = this.#begun!
      this.#drop()
      frames.push(read(whole, 0, total))
    }
    return end
  }

  /** Makes room for `needed` bytes of a frame of `total`, in steps that keep copying linear. */
  #reserve(needed: number, total = this.#layout.headerBytes): void {
    const begun = this.#begun
    if (begun !== undefined && begun.length >= needed) return
    const size = Math.min(total, Math.max(needed, firstBytesMax, 2 * (begun?.length ?? 0)))
    const larger = allocate(size)
    if (begun !== undefined) larger.set(view(begun, 0, this.#held))
    this.#begun = larger
  }

  #take(bytes: Uint8Array, at: number, end: number): void {
    this.#begun!.set(view(bytes, at, end), this.#held)
    this.#held += end - at
  }

  #drop(): void {
    this.#begun = undefined
    this.#held = 0
  }
}
