/**
 * A block: consecutive messages of one log in one array of bytes. Backends store a block as one value, and batches
 * travel between threads as blocks.
 *
 * A row a message costs a database the work on its trees for each of them; with blocks it costs that once a batch, and
 * a batch is written and read at the speed of copying it (measured with SQLite: 1,000 messages of 100 bytes in 0.5 ms
 * instead of 2.7 ms, fsync included). Which log the messages belong to, and where they are in it and in the journal,
 * stands beside the block.
 *
 *     bytes 0-3   CRC-32 of everything behind it, because databases keep no checksums of what they store
 *     byte 4      version of this layout, 1
 *     byte 5      flags: what differs from message to message
 *     bytes 8-11  number of messages
 *     then        creation times (float64), lengths of ids (in UTF-16 units), payloads and headers (uint32), marks of
 *                 tombstones (uint8): each once if it is the same for all, else for each message;
 *                 the ids, the headers, the payloads, one after another
 *
 * Numbers are little-endian. Ids take a byte a unit where all are ASCII, as UUIDs are, else two. Nodes send blocks to each
 * other as they are (`proto/millrace/v1/sync.proto`), so a change of the layout is one of that protocol too.
 */
import { crc32 } from "node:zlib"
import { type Headers, noHeaders, noPayload } from "../../domain/Message.ts"
import type { StoredContent } from "./AcceptPlan.ts"
import { headersFromText, headersToText } from "./Content.ts"

/** A message of a block to be. Where `deleted`, it has neither headers nor payload. */
export interface BlockContent {
  readonly id: string
  readonly createdAt: number
  readonly headers: Headers
  readonly payload: Uint8Array
  readonly deleted?: boolean | undefined
}

/** A block whose bytes are not what was written. */
export class DamagedBlock extends Error {
  override readonly name = "DamagedBlock"
}

const layoutVersion = 1
const checkedFrom = 4
const columnsFrom = 12

const timesVary = 1
const idLengthsVary = 2
const wideIds = 4
const payloadLengthsVary = 8
const hasHeaders = 16
const hasDeleted = 32
const allFlags = 63

/** How much a block holds: this bounds what is read for the sake of one message. A larger message is a block by itself. */
export const blockMessagesMax = 1024
export const blockBytesMax = 256 * 1024

/** Messages on their way into a block. */
export class BlockWriter {
  private readonly contents: Array<BlockContent> = []
  private contentBytes = 0
  private idText = ""
  private payloadBytes = 0
  private headerTexts: ReadonlyArray<Uint8Array> | undefined
  private headerBytes = 0
  private flags = 0

  /** How many there are. */
  get count(): number {
    return this.contents.length
  }

  /** The message added last. */
  get last(): BlockContent | undefined {
    return this.contents.at(-1)
  }

  /** Adds a message, unless the block is full: then gives false. */
  add(content: BlockContent): boolean {
    const { contents } = this
    const { createdAt, deleted, headers, id, payload } = content
    const bytes = payload.byteLength + (headers === noHeaders ? 0 : headersLength(headers))
    if (contents.length > 0) {
      if (contents.length === blockMessagesMax || this.contentBytes + bytes > blockBytesMax) return false
      const first = contents[0]!
      if (createdAt !== first.createdAt) this.flags |= timesVary
      if (id.length !== first.id.length) this.flags |= idLengthsVary
      if (payload.byteLength !== first.payload.byteLength) this.flags |= payloadLengthsVary
    }
    if (headers !== noHeaders) this.flags |= hasHeaders
    if (deleted === true) this.flags |= hasDeleted
    contents.push(content)
    this.contentBytes += bytes
    this.payloadBytes += payload.byteLength
    this.idText += id
    return true
  }

  /** Ends the block: settles how many bytes it takes. Nothing is added after that. */
  finish(): number {
    const { contents, idText } = this
    if (Buffer.byteLength(idText) !== idText.length) this.flags |= wideIds
    if ((this.flags & hasHeaders) !== 0) {
      this.headerTexts = contents.map(({ headers }) => headersBytes(headers))
      for (const text of this.headerTexts) this.headerBytes += text.byteLength
    }
    return layout(this.flags, contents.length).ids + this.idBytes + this.headerBytes + this.payloadBytes
  }

  private get idBytes(): number {
    return (this.flags & wideIds) === 0 ? this.idText.length : 2 * this.idText.length
  }

  /** Writes the block, which is finished, into bytes of just the right length. */
  writeTo(data: Buffer): void {
    const { contents, flags, headerTexts, idText } = this
    const count = contents.length
    const starts = layout(flags, count)
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
    view.setUint32(4, layoutVersion | (flags << 8), true)
    view.setUint32(8, count, true)
    const times = (flags & timesVary) === 0 ? 1 : count
    for (let i = 0; i < times; i++) view.setFloat64(starts.times + 8 * i, contents[i]!.createdAt, true)
    const idLengths = (flags & idLengthsVary) === 0 ? 1 : count
    for (let i = 0; i < idLengths; i++) view.setUint32(starts.idLengths + 4 * i, contents[i]!.id.length, true)
    const payloadLengths = (flags & payloadLengthsVary) === 0 ? 1 : count
    for (let i = 0; i < payloadLengths; i++) {
      view.setUint32(starts.payloadLengths + 4 * i, contents[i]!.payload.byteLength, true)
    }
    if ((flags & hasDeleted) !== 0) {
      for (let i = 0; i < count; i++) data[starts.deleted + i] = contents[i]!.deleted === true ? 1 : 0
    }
    data.write(idText, starts.ids, (flags & wideIds) === 0 ? "latin1" : "utf16le")
    let at = starts.ids + this.idBytes
    if (headerTexts !== undefined) {
      for (let i = 0; i < count; i++) {
        const text = headerTexts[i]!
        view.setUint32(starts.headerLengths + 4 * i, text.byteLength, true)
        data.set(text, at)
        at += text.byteLength
      }
    }
    for (let i = 0; i < count;) {
      const { payload } = contents[i++]!
      let end = payload.byteOffset + payload.byteLength
      // What lies one after the other, as what a peer has sent does, is copied in one go.
      while (i < count && contents[i]!.payload.byteOffset === end && contents[i]!.payload.buffer === payload.buffer) {
        end += contents[i++]!.payload.byteLength
      }
      const length = end - payload.byteOffset
      data.set(length === payload.byteLength ? payload : new Uint8Array(payload.buffer, payload.byteOffset, length), at)
      at += length
    }
    view.setUint32(0, crc32(data.subarray(checkedFrom)), true)
  }
}

/** Blocks one after another in a buffer of their own, and the length of each. */
export const encodeBlocks = (
  writers: ReadonlyArray<BlockWriter>,
): { readonly bytes: Buffer<ArrayBuffer>; readonly lengths: ReadonlyArray<number> } => {
  let total = 0
  const lengths = writers.map((writer) => {
    const length = writer.finish()
    total += length
    return length
  })
  // Not from the pool, which could not be transferred, and not filled with zeros first.
  const bytes = Buffer.allocUnsafeSlow(total)
  let at = 0
  for (let i = 0; i < writers.length; i++) writers[i]!.writeTo(bytes.subarray(at, (at += lengths[i]!)))
  return { bytes, lengths }
}

/** Messages that go into one block as they are: those of a block that was read and changed. */
export const encodeBlock = (contents: ReadonlyArray<BlockContent>): Uint8Array => {
  const writer = new BlockWriter()
  for (const content of contents) if (!writer.add(content)) throw new Error("these are too many for one block")
  return encodeBlocks([writer]).bytes
}

/** About how long headers are, in bytes. */
const headersLength = (headers: Headers): number => {
  let length = 0
  for (const name in headers) length += name.length + headers[name]!.length
  return length
}

const headersBytes = (headers: Headers): Uint8Array => {
  const text = headersToText(headers)
  return text === null ? noPayload : Buffer.from(text)
}

/** Where each column begins. */
const layout = (flags: number, count: number) => {
  const times = columnsFrom
  const idLengths = times + 8 * ((flags & timesVary) === 0 ? 1 : count)
  const payloadLengths = idLengths + 4 * ((flags & idLengthsVary) === 0 ? 1 : count)
  const headerLengths = payloadLengths + 4 * ((flags & payloadLengthsVary) === 0 ? 1 : count)
  const deleted = headerLengths + 4 * ((flags & hasHeaders) === 0 ? 0 : count)
  const ids = deleted + ((flags & hasDeleted) === 0 ? 0 : count)
  return { times, idLengths, payloadLengths, headerLengths, deleted, ids }
}

/** The messages of a stored block, by their index in it. Payloads are views of the block, which they keep alive. */
export class Block {
  readonly count: number
  private readonly flags: number
  private readonly data: Buffer
  private readonly view: DataView
  private readonly starts: ReturnType<typeof layout>
  private readonly ids: string
  private readonly idEnds: Ends
  private readonly headerEnds: Ends
  private readonly payloadEnds: Ends

  /**
   * @param count the number of messages that it must hold
   * @throws DamagedBlock
   */
  constructor(stored: Uint8Array, count: number) {
    const { buffer, byteLength, byteOffset } = stored
    const data = Buffer.from(buffer, byteOffset, byteLength)
    const view = new DataView(buffer, byteOffset, byteLength)
    if (byteLength < columnsFrom || view.getUint32(0, true) !== crc32(data.subarray(checkedFrom))) {
      throw new DamagedBlock("its checksum does not fit")
    }
    if (data[4] !== layoutVersion || view.getUint32(8, true) !== count) {
      throw new DamagedBlock(`it is not a block of ${count} messages in layout ${layoutVersion}`)
    }
    const flags = data[5]!
    const starts = layout(flags, count)
    if (flags > allFlags || view.getUint16(6, true) !== 0) throw new DamagedBlock("it says what nobody knows")
    if (starts.ids > byteLength) throw new DamagedBlock("it ends within its columns")
    this.count = count
    this.flags = flags
    this.data = data
    this.view = view
    this.starts = starts
    const isWide = (flags & wideIds) !== 0
    this.idEnds = ends(view, starts.idLengths, count, (flags & idLengthsVary) !== 0, 0)
    const units = endOf(this.idEnds, count - 1)
    const headersFrom = starts.ids + (isWide ? 2 * units : units)
    this.headerEnds =
      (flags & hasHeaders) === 0
        ? { first: headersFrom, each: 0 }
        : ends(view, starts.headerLengths, count, true, headersFrom)
    const payloadsFrom = endOf(this.headerEnds, count - 1)
    this.payloadEnds = ends(view, starts.payloadLengths, count, (flags & payloadLengthsVary) !== 0, payloadsFrom)
    if (endOf(this.payloadEnds, count - 1) !== byteLength) throw new DamagedBlock("its lengths do not add up")
    // Only now: Node writes beyond its own memory where UTF-16 is read from an odd number of bytes (24.21).
    this.ids = data.toString(isWide ? "utf16le" : "latin1", starts.ids, headersFrom)
  }

  id(index: number): string {
    return this.ids.slice(startOf(this.idEnds, index), endOf(this.idEnds, index))
  }

  createdAt(index: number): number {
    return this.view.getFloat64(this.starts.times + ((this.flags & timesVary) === 0 ? 0 : 8 * index), true)
  }

  isDeleted(index: number): boolean {
    return (this.flags & hasDeleted) !== 0 && this.data[this.starts.deleted + index] !== 0
  }

  /** Headers as they are written; `null` where there are none. */
  headersText(index: number): string | null {
    const start = startOf(this.headerEnds, index)
    const end = endOf(this.headerEnds, index)
    return start === end ? null : this.data.toString("utf8", start, end)
  }

  headers(index: number): Headers {
    return headersFromText(this.headersText(index))
  }

  payload(index: number): Uint8Array {
    const start = startOf(this.payloadEnds, index)
    const end = endOf(this.payloadEnds, index)
    if (start === end) return noPayload
    const { buffer, byteOffset } = this.data
    return new Uint8Array(buffer, byteOffset + start, end - start)
  }

  /** Bytes of a message's headers and payload. */
  bytes(index: number): number {
    const { headerEnds, payloadEnds } = this
    return (
      endOf(payloadEnds, index) - startOf(payloadEnds, index) + endOf(headerEnds, index) - startOf(headerEnds, index)
    )
  }

  /** Whether ids may hold anything but ASCII and Latin-1. */
  get hasWideIds(): boolean {
    return (this.flags & wideIds) !== 0
  }

  /** How long an id is, in UTF-16 units. */
  idLength(index: number): number {
    return endOf(this.idEnds, index) - startOf(this.idEnds, index)
  }

  /**
   * A block of some of the messages: those from one index up to another, which is not among them. In memory of its own, but
   * where it is of all of them: then these very bytes.
   */
  slice(from: number, to: number): Uint8Array {
    const { count, data, flags, starts } = this
    if (from === 0 && to === count) return data
    const has = (flag: number): boolean => (flags & flag) !== 0
    const varying = (at: number, bytes: number) => data.subarray(at + bytes * from, at + bytes * to)
    const column = (at: number, bytes: number, varies: boolean) =>
      varies ? varying(at, bytes) : data.subarray(at, at + bytes)
    const unit = has(wideIds) ? 2 : 1
    const parts = [
      data.subarray(0, columnsFrom),
      column(starts.times, 8, has(timesVary)),
      column(starts.idLengths, 4, has(idLengthsVary)),
      column(starts.payloadLengths, 4, has(payloadLengthsVary)),
      ...(has(hasHeaders) ? [varying(starts.headerLengths, 4)] : []),
      ...(has(hasDeleted) ? [varying(starts.deleted, 1)] : []),
      data.subarray(starts.ids + unit * startOf(this.idEnds, from), starts.ids + unit * endOf(this.idEnds, to - 1)),
      data.subarray(startOf(this.headerEnds, from), endOf(this.headerEnds, to - 1)),
      data.subarray(startOf(this.payloadEnds, from), endOf(this.payloadEnds, to - 1)),
    ]
    const sliced = Buffer.allocUnsafeSlow(parts.reduce((sum, { byteLength }) => sum + byteLength, 0))
    let at = 0
    for (const part of parts) {
      sliced.set(part, at)
      at += part.byteLength
    }
    sliced.writeUInt32LE(to - from, 8)
    sliced.writeUInt32LE(crc32(sliced.subarray(checkedFrom)), 0)
    return sliced
  }

  content(index: number): StoredContent {
    return {
      id: this.id(index),
      createdAt: this.createdAt(index),
      headers: this.headers(index),
      payload: this.payload(index),
      deleted: this.isDeleted(index),
    }
  }
}

/** Where values that stand one after another end: equally long ones, or each at a place of its own. */
type Ends =
  | { readonly first: number; readonly each: number; readonly at?: undefined }
  | { readonly first: number; readonly at: Uint32Array }

const ends = (view: DataView, lengthsFrom: number, count: number, vary: boolean, first: number): Ends => {
  if (!vary) return { first, each: view.getUint32(lengthsFrom, true) }
  const at = new Uint32Array(count)
  let end = first
  for (let i = 0; i < count; i++) at[i] = end += view.getUint32(lengthsFrom + 4 * i, true)
  if (end > view.byteLength) throw new DamagedBlock("its lengths do not add up")
  return { first, at }
}

const startOf = (ends: Ends, index: number): number =>
  ends.at === undefined ? ends.first + ends.each * index : index === 0 ? ends.first : ends.at[index - 1]!

const endOf = (ends: Ends, index: number): number =>
  ends.at === undefined ? ends.first + ends.each * (index + 1) : ends.at[index]!
