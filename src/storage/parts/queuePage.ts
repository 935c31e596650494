/**
 * The items of a page of blocks.
 */
import type { QueueItem } from "../../domain/QueueItem.ts"
import { ItemBlockReader } from "./ItemBlock.ts"
import type { PageLimit } from "../LogStore.ts"
import type { QueuePage } from "../QueueStore.ts"

/**
 * A page's items after a sequence, as many as the limit has room for, but at least one where there is one.
 *
 * @throws DamagedBlock
 */
export const itemsOf = (
  queue: string,
  { attempts, blocks, firstSequence }: QueuePage,
  after: number,
  limit: PageLimit,
): ReadonlyArray<QueueItem> => {
  const items: Array<QueueItem> = []
  let bytes = 0
  let next = Math.max(after + 1, firstSequence)
  for (const stored of blocks) {
    if (stored.lastSequence < next) continue
    const block = new ItemBlockReader(stored)
    for (next = Math.max(next, block.firstSequence); next <= block.lastSequence; next++) {
      bytes += block.bytes(next)
      if (items.length > 0 && (items.length >= limit.rows || bytes > limit.bytes)) return items
      items.push(block.item(queue, next, next === firstSequence ? attempts : 0))
    }
  }
  return items
}

/** How many blocks of a page to read, given what is in each: the first one, and then as many as the limit has room for. */
export const blocksWanted = (
  blocks: Iterable<{ readonly items: number; readonly bytes: number }>,
  limit: PageLimit,
): number => {
  let count = 0
  let items = 0
  let bytes = 0
  for (const block of blocks) {
    bytes += block.bytes
    if (count > 0 && (items >= limit.rows || bytes > limit.bytes)) break
    items += block.items
    count += 1
  }
  return count
}
