/**
 * Cuts a stream of bytes into lines. A line ends at `\n`, which is not part of it; what follows the last `\n` is a line
 * if it holds anything. Nothing is decoded: `\r`, NUL and invalid UTF-8 are bytes like any others.
 */

/** Where the pieces of a line are kept until its end has come. One for each stream. */
export class LineSplitter {
  readonly #lineBytesMax: number
  #pieces: Array<Uint8Array> = []
  #pieceBytes = 0
  #linesDone = 0

  /** @param lineBytesMax the longest line that is taken, in bytes */
  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax
  }

  /** The number, from 1, of a line longer than the limit; lines before it have been given. */
  tooLong: number | undefined

  /** The lines that end in this chunk. They may share its memory. */
  push(chunk: Uint8Array): ReadonlyArray<Uint8Array> {
    const lines: Array<Uint8Array> = []
    let start = 0
    while (this.tooLong === undefined) {
      const end = chunk.indexOf(0x0a, start)
      const piece = chunk.subarray(start, end === -1 ? chunk.length : end)
      if (this.#pieceBytes + piece.length > this.#lineBytesMax) {
        this.tooLong = this.#linesDone + 1
        break
      }
      if (end === -1) {
        if (piece.length > 0) this.#pieces.push(piece)
        this.#pieceBytes += piece.length
        break
      }
      lines.push(this.#take(piece))
      this.#linesDone += 1
      start = end + 1
    }
    return lines
  }

  /** The last line, if the stream did not end with a newline. */
  end(): ReadonlyArray<Uint8Array> {
    return this.#pieceBytes === 0 || this.tooLong !== undefined ? [] : [this.#take(new Uint8Array(0))]
  }

  #take(last: Uint8Array): Uint8Array {
    if (this.#pieces.length === 0) return last
    const line = Buffer.concat([...this.#pieces, last])
    this.#pieces = []
    this.#pieceBytes = 0
    return line
  }
}
