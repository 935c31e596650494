/**
 * Protobuf's wire format, written from front to back into one buffer that is used again and again. What is nested gets
 * a length of four bytes, which is filled in when it is known: nothing is moved, and nothing is copied twice.
 */

/** Bytes of the length of what is nested: a varint that is padded, as every reader takes it. */
const nestedLengthBytes = 4
const nestedBytesMax = 2 ** 28 - 1

const initialBytes = 64 * 1024
/** A buffer that had to grow beyond this is not kept. */
const keptBytesMax = 1024 * 1024

/** Wire types. */
const varint = 0
const lengthDelimited = 2

export class WireBuffer {
  private bytes = Buffer.allocUnsafeSlow(initialBytes)
  private at = 0

  /** A field of a whole number from 0 on, up to 2^53 - 1; left out where it is 0. */
  number(field: number, value: number): void {
    if (value === 0) return
    this.reserve(16)
    this.tag(field, varint)
    this.varint(value)
  }

  /** A field that is true; left out where it is false. */
  boolean(field: number, value: boolean): void {
    this.number(field, value ? 1 : 0)
  }

  /** A field of text; left out where it is empty. */
  text(field: number, value: string): void {
    if (value !== "") this.anyText(field, value)
  }

  /** A field of text, also where it is empty. */
  anyText(field: number, value: string): void {
    this.reserve(16 + 3 * value.length)
    this.tag(field, lengthDelimited)
    // A UTF-16 unit is three bytes at most: the length of a short one takes one byte, whatever is in it.
    if (value.length < 43) {
      const written = this.bytes.write(value, this.at + 1)
      this.bytes[this.at] = written
      this.at += 1 + written
      return
    }
    this.varint(Buffer.byteLength(value))
    this.at += this.bytes.write(value, this.at)
  }

  /** A field of bytes; left out where there are none. */
  blob(field: number, value: Uint8Array): void {
    const { byteLength } = value
    if (byteLength === 0) return
    this.reserve(16 + byteLength)
    this.tag(field, lengthDelimited)
    this.varint(byteLength)
    this.bytes.set(value, this.at)
    this.at += byteLength
  }

  /** Begins a field that holds a message. Gives what to end it with. */
  begin(field: number): number {
    this.reserve(16)
    this.tag(field, lengthDelimited)
    this.at += nestedLengthBytes
    return this.at
  }

  /** Ends the field that was begun last. */
  end(begun: number): void {
    let rest = this.at - begun
    if (rest > nestedBytesMax) throw new RangeError(`a message of ${rest} bytes does not fit into another`)
    for (let i = begun - nestedLengthBytes; i < begun - 1; i++, rest >>>= 7) this.bytes[i] = (rest & 0x7f) | 0x80
    this.bytes[begun - 1] = rest
  }

  /** What was written. It is overwritten by what is written next, so it is to be copied at once. */
  finish(): Buffer {
    const written = this.bytes.subarray(0, this.at)
    if (this.bytes.byteLength > keptBytesMax) this.bytes = Buffer.allocUnsafeSlow(initialBytes)
    this.at = 0
    return written
  }

  private tag(field: number, type: number): void {
    this.varint(field * 8 + type)
  }

  private varint(value: number): void {
    let rest = value
    while (rest > 0x7fffffff) {
      this.bytes[this.at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    while (rest > 0x7f) {
      this.bytes[this.at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.bytes[this.at++] = rest
  }

  private reserve(more: number): void {
    const needed = this.at + more
    if (needed <= this.bytes.byteLength) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.byteLength))
    this.bytes.copy(larger, 0, 0, this.at)
    this.bytes = larger
  }
}
