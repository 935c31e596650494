/**
 * Many frames in one buffer, so that a chunk of frames costs one system call. What is finished is the caller's: it is
 * not written over, and a socket may take its time with it. What comes next goes on behind it in the same memory as
 * long as there is room; once all that was finished has been used, the memory can be used again from its beginning.
 */
import { allocate, view, writeU32 } from "./memory.ts"
import { nameBytesMax } from "./names.ts"

const slabBytes = 64 * 1024
/** Most writers write little: the first slabs are smaller. */
const firstSlabBytes = 2 * 1024

const encoder = new TextEncoder()
const nothing = new Uint8Array()
/** Short names are written by hand: that is faster than the way into the runtime's own code. */
const shortName = 48

/** Room for a name and its NUL: a UTF-16 unit is three bytes of UTF-8 at most. */
export const nameRoom = (name: string): number => 3 * name.length + 1

export class FrameWriter {
  #slab: Uint8Array = nothing
  #start = 0
  #at = 0
  /** Where the frame begins that is being written. */
  #frame = 0

  /** How many bytes are written and not finished. */
  get bytes(): number {
    return this.#at - this.#start
  }

  /** All that was written since the last time. */
  finish(): Uint8Array {
    const written = view(this.#slab, this.#start, this.#at)
    this.#start = this.#at
    return written
  }

  /** All that was finished has been used, and may be written over. What is written and not finished stays. */
  reuse(): void {
    if (this.#at > this.#start) return
    this.#start = 0
    this.#at = 0
  }

  /** Bytes as they are: frames that were encoded before. */
  append(bytes: Uint8Array): void {
    this.reserve(bytes.byteLength)
    this.raw(bytes)
  }

  /** Begins a frame and makes room for it; everything below writes into this room. */
  protected begin(bytesMax: number): void {
    this.reserve(bytesMax)
    this.#frame = this.#at
  }

  /** Ends a frame, and writes the length of its body into its header. */
  protected end(headerBytes: number, lengthAt: number): void {
    writeU32(this.#slab, this.#frame + lengthAt, this.#at - this.#frame - headerBytes)
  }

  private reserve(more: number): void {
    if (this.#at + more <= this.#slab.length) return
    const written = this.#at - this.#start
    const usual = Math.min(slabBytes, Math.max(firstSlabBytes, 2 * this.#slab.length))
    const larger = allocate(Math.max(usual, written + more, 2 * written))
    larger.set(view(this.#slab, this.#start, this.#at))
    this.#slab = larger
    this.#start = 0
    this.#at = written
  }

  protected raw(bytes: Uint8Array): void {
    this.#slab.set(bytes, this.#at)
    this.#at += bytes.byteLength
  }

  protected u8(value: number): void {
    this.#slab[this.#at++] = value
  }

  protected u32(value: number): void {
    if (value >>> 0 !== value) this.#refuse(`${value} is no number of 32 bits without a sign`)
    writeU32(this.#slab, this.#at, value)
    this.#at += 4
  }

  /** A name, without its NUL. Who sends checks names by their rules; that frames stay whole is checked here. */
  protected name(name: string): void {
    if (name.length <= shortName && this.#ascii(name)) return
    const { written } = encoder.encodeInto(name, view(this.#slab, this.#at, this.#at + nameRoom(name)))
    if (written > nameBytesMax || name.includes("\0")) {
      this.#refuse(`a name in a frame is at most ${nameBytesMax} bytes long, without NUL: ${JSON.stringify(name)}`)
    }
    this.#at += written
  }

  /** Takes the frame back, so that those before it and after it stay whole. */
  #refuse(reason: string): never {
    this.#at = this.#frame
    throw new RangeError(reason)
  }

  #ascii(name: string): boolean {
    for (let i = 0; i < name.length; i++) {
      const unit = name.charCodeAt(i)
      if (unit === 0 || unit > 0x7f) return false
      this.#slab[this.#at + i] = unit
    }
    this.#at += name.length
    return true
  }
}
