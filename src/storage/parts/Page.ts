/**
 * Filling a page from stored blocks, within its bounds: what all pages have in common, whatever they are made of.
 */
import type { PageLimit } from "../LogStore.ts"
import { Block, DamagedBlock } from "./Block.ts"

/** What a block of one message has beside headers and payload, at most about, in bytes. */
const frameBytes = 256

/** Where a stored block is. */
export interface BlockPosition {
  readonly logNumber: number
  readonly messages: number
  readonly lastPosition: number
  readonly lastOffset: number
}

/**
 * A stored block.
 *
 * @throws DamagedBlock which says where it is
 */
export const openBlock = (
  { lastPosition, messages }: Pick<BlockPosition, "lastPosition" | "messages">,
  content: Uint8Array,
): Block => {
  try {
    return new Block(content, messages)
  } catch (error) {
    if (!(error instanceof DamagedBlock)) throw error
    throw new DamagedBlock(`the block that ends at position ${lastPosition} is damaged: ${error.message}`)
  }
}

export abstract class Page {
  /** Whether nothing more goes in. */
  full = false
  /** How many messages are in it. */
  protected abstract readonly count: number
  /** How many bytes, about. */
  protected bytes = 0
  protected readonly limit: PageLimit

  constructor(limit: PageLimit) {
    this.limit = limit
  }

  /** How many messages the page still takes, as far as their number goes. */
  get room(): number {
    return Math.max(this.limit.rows, 1) - this.count
  }

  /**
   * How many bytes a block may have that is read for the page. A block of many messages is small enough to be read for one
   * of them; a message that is too large by itself stays.
   */
  get bytesMax(): number {
    return this.count === 0 ? Number.MAX_SAFE_INTEGER : this.limit.bytes - this.bytes + frameBytes
  }

  /** Adds a block's messages as far as they fit. */
  abstract addBlock(place: BlockPosition, content: Uint8Array): void
}
