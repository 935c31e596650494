/**
 * The layout of a packed batch: numbers, text and payloads of any number of records in one `ArrayBuffer`, which moves
 * between threads without being copied.
 *
 * Three parts follow each other: doubles, then text as UTF-8, then bytes. All text is encoded and decoded in one go, and
 * payloads are read as views of the buffer: a record costs no allocation of its own but the objects that it becomes.
 * The views keep the whole buffer alive.
 */

/** Gathers records. Numbers are written in the order in which they will be read; so are strings, so are bytes. */
export class PackedWriter {
  private readonly numbers: Array<number> = []
  private readonly texts: Array<string> = []
  private readonly bytes: Array<Uint8Array> = []
  private byteLength = 0

  number(value: number): void {
    this.numbers.push(value)
  }

  text(value: string): void {
    this.numbers.push(value.length)
    this.texts.push(value)
  }

  payload(value: Uint8Array): void {
    this.numbers.push(value.byteLength)
    this.bytes.push(value)
    this.byteLength += value.byteLength
  }

  finish(): ArrayBuffer {
    const { bytes, numbers } = this
    const text = this.texts.join("")
    const textLength = Buffer.byteLength(text)
    const textAt = (2 + numbers.length) * Float64Array.BYTES_PER_ELEMENT
    const buffer = new ArrayBuffer(textAt + textLength + this.byteLength)
    const header = new Float64Array(buffer, 0, 2 + numbers.length)
    header[0] = numbers.length
    header[1] = textLength
    header.set(numbers, 2)
    const all = Buffer.from(buffer)
    all.write(text, textAt, "utf8")
    let at = textAt + textLength
    for (const payload of bytes) {
      all.set(payload, at)
      at += payload.byteLength
    }
    return buffer
  }
}

/** Reads what a `PackedWriter` gathered, in the same order. */
export class PackedReader {
  private readonly buffer: ArrayBuffer
  private readonly numbers: Float64Array
  private readonly allText: string
  private numberAt = 0
  private textAt = 0
  private byteAt: number

  constructor(buffer: ArrayBuffer) {
    const [count, textLength] = new Float64Array(buffer, 0, 2)
    this.buffer = buffer
    this.numbers = new Float64Array(buffer, 2 * Float64Array.BYTES_PER_ELEMENT, count)
    const textAt = (2 + this.numbers.length) * Float64Array.BYTES_PER_ELEMENT
    this.byteAt = textAt + textLength!
    this.allText = Buffer.from(buffer).toString("utf8", textAt, this.byteAt)
  }

  number(): number {
    return this.numbers[this.numberAt++]!
  }

  text(): string {
    const from = this.textAt
    this.textAt += this.number()
    return this.allText.slice(from, this.textAt)
  }

  /** A view of the buffer. */
  payload(): Uint8Array {
    const length = this.number()
    const from = this.byteAt
    this.byteAt += length
    return new Uint8Array(this.buffer, from, length)
  }
}
