/**
 * A page of messages.
 */
import type { Message } from "../../domain/Message.ts"
import type { PageLimit } from "../LogStore.ts"
import type { KnownLogs } from "./KnownLogs.ts"
import { type BlockPosition, openBlock, Page } from "./Page.ts"

/** Where a page begins: at the first message that is beyond the position and not below the offset. */
export interface PageStart {
  readonly afterPosition: number
  readonly fromOffset: number
}

export class MessagePage extends Page {
  readonly messages: Array<Message> = []
  private readonly logs: KnownLogs
  private readonly start: PageStart

  constructor(logs: KnownLogs, limit: PageLimit, start: PageStart) {
    super(limit)
    this.logs = logs
    this.start = start
  }

  protected get count(): number {
    return this.messages.length
  }

  /** Position of the last message; 0 where there is none. */
  get lastPosition(): number {
    return this.messages.at(-1)?.position ?? 0
  }

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
