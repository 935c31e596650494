/**
 * Queues in memory: blocks as they came, which are copies of what was enqueued. As in `MemoryLogStore`, every operation
 * is one synchronous step.
 */
import * as Effect from "effect/Effect"
import { ItemBlockReader } from "../parts/ItemBlock.ts"
import type { PageLimit } from "../LogStore.ts"
import { arrivingBlocks, type ItemPlace, newQueue, planQueues } from "../parts/QueuePlan.ts"
import { blocksWanted } from "../parts/queuePage.ts"
import {
  type QueueOperation,
  type QueuePage,
  type QueueResult,
  type QueueState,
  type QueueStore,
  sortQueues,
} from "../QueueStore.ts"
import type { MemoryDisk, MemoryQueue } from "./MemoryDisk.ts"

export const make = (disk: MemoryDisk): QueueStore["Service"] => ({
  apply: (operations) => Effect.sync(() => apply(disk, operations)),
  page: (queue, after, limit) => Effect.sync(() => page(disk.queues.get(queue), after, limit)),
  queues: Effect.sync(() => sortQueues([...disk.queues].map(([name, queue]) => stateOf(name, queue)))),
})

/** Index of the first block that ends at a sequence or after it. */
const indexOf = ({ blocks }: MemoryQueue, sequence: number): number => {
  let low = 0
  let high = blocks.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (blocks[middle]!.lastSequence < sequence) low = middle + 1
    else high = middle
  }
  return low
}

/** The block that holds a stored item. */
const blockAt = (disk: MemoryDisk, { queue: name, sequence }: ItemPlace): ItemBlockReader => {
  const queue = disk.queues.get(name)!
  return new ItemBlockReader(queue.blocks[indexOf(queue, sequence)]!)
}

const stateOf = (name: string, queue: MemoryQueue): QueueState => {
  const { firstSequence, lastSequence } = queue.ends
  const front = queue.blocks[indexOf(queue, firstSequence)]
  return {
    queue: name,
    depth: lastSequence - firstSequence + 1,
    lastSequence,
    oldestAt: front === undefined ? undefined : new ItemBlockReader(front).createdAt(firstSequence),
  }
}

/** Blocks behind the front that are kept, at most as many again: dropping each one by itself would copy the others. */
const goneMax = 64

const apply = (disk: MemoryDisk, operations: ReadonlyArray<QueueOperation>): ReadonlyArray<QueueResult> => {
  const { queues } = disk
  const plan = planQueues(operations, {
    ends: (queue) => queues.get(queue)?.ends ?? newQueue,
    idAt: (place) => blockAt(disk, place).id(place.sequence),
  })
  const contentAt = (place: ItemPlace) => blockAt(disk, place).content(place.sequence)
  const arriving = new Map([...plan.arrivals].map(([name, arrivals]) => [name, arrivingBlocks(arrivals, contentAt)]))
  for (const [name, ends] of plan.ends) {
    const queue = queues.get(name) ?? { ends, blocks: [] }
    queues.set(name, queue)
    queue.ends = ends
    for (const block of arriving.get(name) ?? []) queue.blocks.push(block)
    const gone = indexOf(queue, ends.firstSequence)
    if (gone > goneMax && 2 * gone > queue.blocks.length) queue.blocks = queue.blocks.slice(gone)
  }
  return plan.results
}

const page = (queue: MemoryQueue | undefined, after: number, limit: PageLimit): QueuePage => {
  if (queue === undefined) return { ...newQueue, blocks: [] }
  const { firstSequence } = queue.ends
  const first = indexOf(queue, Math.max(after + 1, firstSequence))
  const following = queue.blocks.slice(first, first + limit.rows)
  const sizes = following.map(({ content, items }) => ({ items, bytes: content.byteLength }))
  const blocks = following.slice(0, blocksWanted(sizes, limit))
  return { ...queue.ends, blocks: blocks.map((block) => ({ ...block, content: new Uint8Array(block.content) })) }
}
