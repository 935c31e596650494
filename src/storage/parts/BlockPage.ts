/**
 * A page of encoded messages: stored blocks as they are, cut where the page begins and ends. Small blocks, which
 * single publishes leave behind, are put together: who stores the page has them as one.
 */
import type { EncodedBlock, PageLimit } from "../LogStore.ts"
import { type Block, BlockWriter, encodeBlocks } from "./Block.ts"
import { type BlockPosition, openBlock, Page } from "./Page.ts"

/** What has so many messages, or so many bytes, is large enough to be given as it is. */
const asIsMessagesMin = 128
const asIsBytesMin = 32 * 1024

export class BlockPage extends Page {
  readonly #fromOffset: number
  readonly #blocks: Array<EncodedBlock> = []
  #small: BlockWriter | undefined
  protected count = 0

  constructor(limit: PageLimit, fromOffset: number) {
    super(limit)
    this.#fromOffset = fromOffset
  }

  /** What is in it; nothing is added afterwards. */
  finish(): ReadonlyArray<EncodedBlock> {
    this.#endSmall()
    return this.#blocks
  }

  addBlock(place: BlockPosition, content: Uint8Array): void {
    const block = openBlock(place, content)
    const from = Math.max(0, this.#fromOffset - (place.lastOffset - place.messages + 1))
    if (from >= block.count) return
    if (this.count > 0 && this.bytes + content.byteLength > this.limit.bytes) {
      this.full = true
      return
    }
    const to = Math.min(block.count, from + this.room)
    if (to - from >= asIsMessagesMin || content.byteLength >= asIsBytesMin) this.#addAsIs(block, from, to)
    else this.#addSmall(block, from, to)
    this.count += to - from
    this.bytes += content.byteLength
    if (this.room === 0 || this.bytes >= this.limit.bytes) this.full = true
  }

  #addAsIs(block: Block, from: number, to: number): void {
    this.#endSmall()
    const sliced = block.slice(from, to)
    // Drivers of databases may give a part of what they have received.
    const isOwn = sliced.byteLength === sliced.buffer.byteLength
    this.#blocks.push({ messages: to - from, content: isOwn ? sliced : new Uint8Array(sliced) })
  }

  #addSmall(block: Block, from: number, to: number): void {
    for (let index = from; index < to; index++) {
      const content = block.content(index)
      if (this.#small?.add(content) === true) continue
      this.#endSmall()
      this.#small = new BlockWriter()
      this.#small.add(content)
    }
  }

  #endSmall(): void {
    if (this.#small === undefined) return
    this.#blocks.push({ messages: this.#small.count, content: encodeBlocks([this.#small]).bytes })
    this.#small = undefined
  }
}
