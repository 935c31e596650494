/**
 * A page that is filled with messages from blocks, within its bounds.
 */
import type { Message } from "../../domain/Message.ts"
import { Block, DamagedBlock } from "./Block.ts"
import type { KnownLogs } from "./KnownLogs.ts"
import type { PageLimit } from "../LogStore.ts"

/** What a block of one message has beside headers and payload, at most about, in bytes. */
const frameBytes = 256

/** Where a page begins: at the first message that is beyond the position and not below the offset. */
export interface PageStart {
  readonly afterPosition: number
  readonly fromOffset: number
}

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

export class PageBuilder {
  readonly messages: Array<Message> = []
  /** Whether nothing more goes in. */
  full = false
  private bytes = 0
  private readonly logs: KnownLogs
  private readonly limit: PageLimit
  private readonly start: PageStart

  constructor(logs: KnownLogs, limit: PageLimit, start: PageStart) {
    this.logs = logs
    this.limit = limit
    this.start = start
  }

  /** Position of the last message; 0 where there is none. */
  get lastPosition(): number {
    return this.messages.at(-1)?.position ?? 0
  }

  /** How many messages the page still takes, as far as their number goes. */
  get room(): number {
    return Math.max(this.limit.rows, 1) - this.messages.length
  }

  /**
   * How many bytes a block may have that is read for the page. A block of many messages is small enough to be read for one
   * of them; a message that is too large by itself stays.
   */
  get bytesMax(): number {
    return this.messages.length === 0 ? Number.MAX_SAFE_INTEGER : this.limit.bytes - this.bytes + frameBytes
  }

  /** Adds a block's messages as far as they fit. */
  addBlock(place: BlockPosition, content: Uint8Array): void {
    const { limit, messages, start } = this
    const block = openBlock(place, content)
    const { origin, topic } = this.logs.get(place.logNumber).log
    const firstPosition = place.lastPosition - place.messages + 1
    const firstOffset = place.lastOffset - place.messages + 1
    let index = Math.max(0, start.afterPosition + 1 - firstPosition, start.fromOffset - firstOffset)
    for (; index < block.count && !this.full; index++) {
      const bytes = block.bytes(index)
      if (messages.length > 0 && this.bytes + bytes > limit.bytes) {
        this.full = true
        return
      }
      messages.push({
        topic,
        origin,
        offset: firstOffset + index,
        position: firstPosition + index,
        id: block.id(index),
        createdAt: block.createdAt(index),
        headers: block.headers(index),
        payload: block.payload(index),
        deleted: block.isDeleted(index),
      })
      this.bytes += bytes
      if (messages.length >= limit.rows || this.bytes >= limit.bytes) this.full = true
    }
  }
}
