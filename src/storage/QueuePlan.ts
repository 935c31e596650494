/**
 * What a batch of queue operations will do, worked out before anything is written. Every backend plans with this and
 * then writes the plan's rows; it loads no more of a queue than the batch can reach.
 */
import { type Death, deadQueueOf } from "../domain/QueueItem.ts"
import type { ItemDraft, QueueOperation, QueueResult } from "./QueueStore.ts"

/** An item of a queue's front, as far as a plan has to know it. */
export interface FrontItem {
  readonly sequence: number
  readonly id: string
  readonly attempts: number
}

/** A queue as it is stored. */
export interface StoredQueue {
  readonly depth: number
  readonly lastSequence: number
  /** The first items, in order: at least as many as `itemsWanted` says, or all. */
  readonly front: ReadonlyArray<FrontItem>
}

/** Where an item is stored: in which queue, and under which sequence. */
export interface ItemPlace {
  readonly queue: string
  readonly sequence: number
}

/** What becomes of a stored item. */
export type ItemChange =
  | { readonly type: "remove" }
  | { readonly type: "count"; readonly attempts: number }
  | { readonly type: "move"; readonly to: ItemPlace; readonly attempts: number; readonly death: Death | undefined }

export interface QueuePlan {
  readonly results: ReadonlyArray<QueueResult>
  /** New items with their places and attempts, in the order of their sequences within each queue. */
  readonly inserts: ReadonlyArray<PlannedInsert>
  /** What becomes of stored items, once for each. */
  readonly changes: ReadonlyArray<{ readonly item: ItemPlace; readonly change: ItemChange }>
  /** Queues whose depth or last sequence are others now, with these. */
  readonly queues: ReadonlyMap<string, { readonly depth: number; readonly lastSequence: number }>
}

export interface PlannedInsert {
  readonly place: ItemPlace
  readonly item: ItemDraft
  readonly attempts: number
  readonly death: Death | undefined
}

/** How many items of the front of each queue a batch can reach. */
export const itemsWanted = (operations: ReadonlyArray<QueueOperation>): ReadonlyMap<string, number> => {
  const wanted = new Map<string, number>()
  const add = (queue: string, items: number) => wanted.set(queue, (wanted.get(queue) ?? 0) + items)
  for (const operation of operations) {
    switch (operation.type) {
      case "enqueue":
        add(operation.item.queue, 0)
        break
      case "ack":
        add(operation.queue, 1)
        break
      case "reject":
        add(operation.queue, 1)
        add(deadQueueOf(operation.queue), 0)
        break
      case "redrive":
        add(operation.queue, 0)
        add(deadQueueOf(operation.queue), operation.itemsMax)
    }
  }
  return wanted
}

/** An item on its way through a plan: a stored one knows where it is stored, a new one what it is. */
interface Entry {
  readonly id: string
  readonly stored: ItemPlace | undefined
  readonly draft: ItemDraft | undefined
  place: ItemPlace
  attempts: number
  death: Death | undefined
  isRemoved: boolean
}

class PlannedQueue {
  readonly name: string
  readonly entries: Array<Entry>
  depth: number
  lastSequence: number
  isTouched = false
  private next = 0

  constructor(name: string, { depth, front, lastSequence }: StoredQueue) {
    this.name = name
    this.depth = depth
    this.lastSequence = lastSequence
    this.entries = front.map(({ attempts, id, sequence }) => {
      const place = { queue: name, sequence }
      return { id, stored: place, draft: undefined, place, attempts, death: undefined, isRemoved: false }
    })
  }

  get front(): Entry | undefined {
    return this.entries[this.next]
  }

  takeFront(): Entry {
    this.isTouched = true
    this.depth -= 1
    return this.entries[this.next++]!
  }

  append(entry: Entry): void {
    this.isTouched = true
    this.depth += 1
    this.lastSequence += 1
    entry.place = { queue: this.name, sequence: this.lastSequence }
    // What is stored beyond the loaded front comes before it, so it can be reached only where all of it was loaded.
    this.entries.push(entry)
  }
}

export const planQueues = (
  operations: ReadonlyArray<QueueOperation>,
  stored: (queue: string) => StoredQueue,
): QueuePlan => {
  const queues = new Map<string, PlannedQueue>()
  const drafted: Array<Entry> = []
  const open = (name: string): PlannedQueue => {
    let queue = queues.get(name)
    if (queue === undefined) queues.set(name, (queue = new PlannedQueue(name, stored(name))))
    return queue
  }

  const enqueue = (item: ItemDraft): QueueResult => {
    const queue = open(item.queue)
    const place = { queue: item.queue, sequence: 0 }
    const entry: Entry = {
      id: item.id,
      stored: undefined,
      draft: item,
      place,
      attempts: 0,
      death: undefined,
      isRemoved: false,
    }
    queue.append(entry)
    drafted.push(entry)
    return { type: "enqueue", sequence: entry.place.sequence }
  }

  const changed = new Set<Entry>()

  const apply = (operation: QueueOperation): QueueResult => {
    switch (operation.type) {
      case "enqueue":
        return enqueue(operation.item)
      case "ack": {
        const queue = open(operation.queue)
        if (queue.front?.id !== operation.id) return { type: "ack", accepted: false }
        const entry = queue.takeFront()
        entry.isRemoved = true
        changed.add(entry)
        return { type: "ack", accepted: true }
      }
      case "reject": {
        const queue = open(operation.queue)
        const { front } = queue
        if (front?.id !== operation.id) return { type: "reject", accepted: false, attempts: 0, isDead: false }
        const attempts = front.attempts + 1
        changed.add(front)
        if (operation.attemptsMax === undefined || attempts < operation.attemptsMax) {
          front.attempts = attempts
          return { type: "reject", accepted: true, attempts, isDead: false }
        }
        const { sequence } = front.place
        queue.takeFront()
        front.attempts = 0
        front.death = { sequence, attempts, reason: operation.reason, at: operation.at }
        open(deadQueueOf(operation.queue)).append(front)
        return { type: "reject", accepted: true, attempts, isDead: true }
      }
      case "redrive": {
        const dead = open(deadQueueOf(operation.queue))
        const queue = open(operation.queue)
        let moved = 0
        for (; moved < operation.itemsMax && dead.front !== undefined; moved++) {
          const entry = dead.takeFront()
          entry.attempts = 0
          entry.death = undefined
          queue.append(entry)
          changed.add(entry)
        }
        return { type: "redrive", moved }
      }
    }
  }

  const results = operations.map(apply)
  return {
    results,
    inserts: drafted
      .filter((entry) => !entry.isRemoved)
      .map(({ attempts, death, draft, place }) => ({ place, item: draft!, attempts, death })),
    changes: [...changed].flatMap((entry) =>
      entry.stored === undefined ? [] : [{ item: entry.stored, change: changeOf(entry, entry.stored) }],
    ),
    queues: new Map(
      [...queues.values()]
        .filter((queue) => queue.isTouched)
        .map(({ depth, lastSequence, name }) => [name, { depth, lastSequence }]),
    ),
  }
}

const changeOf = ({ attempts, death, isRemoved, place }: Entry, stored: ItemPlace): ItemChange => {
  if (isRemoved) return { type: "remove" }
  return place === stored ? { type: "count", attempts } : { type: "move", to: place, attempts, death }
}
