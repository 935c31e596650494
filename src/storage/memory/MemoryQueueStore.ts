/**
 * Queues in memory. As in `MemoryLogStore`, every operation is one synchronous step, and payloads are copied.
 */
import * as Effect from "effect/Effect"
import type { QueueItem } from "../../domain/QueueItem.ts"
import { contentBytes } from "../../domain/Message.ts"
import type { PageLimit } from "../LogStore.ts"
import { itemsWanted, planQueues } from "../QueuePlan.ts"
import { type QueueOperation, type QueueResult, type QueueState, type QueueStore, sortQueues } from "../QueueStore.ts"
import { type MemoryDisk, type MemoryQueue, openQueue } from "./MemoryDisk.ts"

export const make = (disk: MemoryDisk): QueueStore["Service"] => ({
  apply: (operations) => Effect.sync(() => apply(disk, operations)),
  items: (queue, after, limit) => Effect.sync(() => items(disk.queues.get(queue), after, limit)),
  queues: Effect.sync(() =>
    sortQueues(
      [...disk.queues].filter(([, { lastSequence }]) => lastSequence > 0).map(([name, queue]) => stateOf(name, queue)),
    ),
  ),
})

/** So many elements at most. */
const firstOf = <A>(elements: Iterable<A>, count: number): ReadonlyArray<A> => {
  const first: Array<A> = []
  if (count > 0) {
    for (const element of elements) if (first.push(element) === count) break
  }
  return first
}

const stateOf = (queue: string, { items, lastSequence }: MemoryQueue): QueueState => {
  const [front] = items.values()
  return { queue, depth: items.size, lastSequence, oldestAt: front?.createdAt }
}

const apply = (disk: MemoryDisk, operations: ReadonlyArray<QueueOperation>): ReadonlyArray<QueueResult> => {
  const wanted = itemsWanted(operations)
  const plan = planQueues(operations, (name) => {
    const queue = disk.queues.get(name)
    if (queue === undefined) return { depth: 0, lastSequence: 0, front: [] }
    return {
      depth: queue.items.size,
      lastSequence: queue.lastSequence,
      front: firstOf(queue.items.values(), wanted.get(name)!),
    }
  })
  const arriving: Array<QueueItem> = plan.inserts.map(({ attempts, death, item, place }) => ({
    ...item,
    ...place,
    payload: Uint8Array.from(item.payload),
    attempts,
    death,
  }))
  for (const { change, item: place } of plan.changes) {
    const { items } = openQueue(disk, place.queue)
    const item = items.get(place.sequence)!
    if (change.type === "count") {
      items.set(place.sequence, { ...item, attempts: change.attempts })
      continue
    }
    items.delete(place.sequence)
    if (change.type === "move") {
      arriving.push({ ...item, ...change.to, attempts: change.attempts, death: change.death })
    }
  }
  // A queue's map is in the order of its sequences.
  for (const item of arriving.toSorted((a, b) => a.sequence - b.sequence)) {
    openQueue(disk, item.queue).items.set(item.sequence, item)
  }
  for (const [name, { lastSequence }] of plan.queues) openQueue(disk, name).lastSequence = lastSequence
  return plan.results
}

const items = (queue: MemoryQueue | undefined, after: number, limit: PageLimit): ReadonlyArray<QueueItem> => {
  const page: Array<QueueItem> = []
  let bytes = 0
  for (const item of queue?.items.values() ?? []) {
    if (item.sequence <= after) continue
    bytes += contentBytes(item.topic, item.payload, item.headers)
    if (page.length > 0 && (page.length >= limit.rows || bytes > limit.bytes)) break
    page.push(item)
  }
  return page
}
