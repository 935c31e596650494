/**
 * What a batch of queue operations will do, worked out before anything is written. Every backend plans with this and
 * then writes the plan. A plan knows a queue by its ends; of its items it asks for ids, and only where an operation
 * names one, so that most batches are planned without looking at any item.
 */
import { type Death, deadQueueOf } from "../../domain/QueueItem.ts"
import { type ItemBlock, type ItemContent, ItemBlockReader, packItems, type StoredItemBlock } from "./ItemBlock.ts"
import type { QueueOperation, QueueResult } from "../QueueStore.ts"

/** The ends of a queue: it holds the items from `firstSequence` to `lastSequence`, and is empty where these cross. */
export interface QueueEnds {
  readonly firstSequence: number
  readonly lastSequence: number
  /** How often the front was rejected: nothing else ever has been. */
  readonly attempts: number
}

export const newQueue: QueueEnds = { firstSequence: 1, lastSequence: 0, attempts: 0 }

/** Where an item is: in which queue, and under which sequence. */
export interface ItemPlace {
  readonly queue: string
  readonly sequence: number
}

/** What a plan can ask of a store. */
export interface StoredQueues {
  readonly ends: (queue: string) => QueueEnds
  /** The id of a stored item, if it is known without asking the database. */
  readonly idAt: (place: ItemPlace) => string | undefined
}

/** An item that moves: one that is stored, or one that came with this very batch. */
type Moving = { readonly place: ItemPlace } | { readonly content: ItemContent }

/** What is added to a queue: a new block, or one item that moves. */
export type Arrival =
  | { readonly type: "block"; readonly block: ItemBlock; readonly lastSequence: number }
  | {
      readonly type: "item"
      readonly item: Moving
      readonly death: Death | undefined
      readonly lastSequence: number
    }

export interface QueuePlan {
  /** A stored item whose id was asked for and not known: then nothing else of the plan counts. */
  readonly lacks: ItemPlace | undefined
  readonly results: ReadonlyArray<QueueResult>
  /** Queues that are changed, with their ends as they will be. */
  readonly ends: ReadonlyMap<string, QueueEnds>
  /** What is added to queues, in the order of sequences in each. */
  readonly arrivals: ReadonlyMap<string, ReadonlyArray<Arrival>>
  /** Stored items that move, whose contents have to be known to write what arrives. */
  readonly moves: ReadonlyArray<ItemPlace>
}

export const planQueues = (operations: ReadonlyArray<QueueOperation>, stored: StoredQueues): QueuePlan => {
  const queues = new Map<string, PlannedQueue>()
  let lacks: ItemPlace | undefined
  const idAt = (place: ItemPlace): string | undefined => {
    const id = stored.idAt(place)
    if (id === undefined) lacks ??= place
    return id
  }
  const open = (name: string): PlannedQueue => {
    let queue = queues.get(name)
    if (queue === undefined) queues.set(name, (queue = new PlannedQueue(name, stored.ends(name), idAt)))
    return queue
  }
  const results = operations.map((operation): QueueResult => {
    const queue = open(operation.queue)
    switch (operation.type) {
      case "enqueue": {
        const firstSequence = queue.lastSequence + 1
        for (const block of operation.blocks) queue.append(block)
        return { type: "enqueue", firstSequence }
      }
      case "ack": {
        const accepted = queue.isFront(operation.id)
        if (accepted) queue.remove(1)
        return { type: "ack", accepted }
      }
      case "ackRange": {
        const { first, last } = operation
        const removed = first === queue.firstSequence ? Math.max(Math.min(last, queue.lastSequence) - first + 1, 0) : 0
        queue.remove(removed)
        return { type: "ackRange", removed }
      }
      case "reject": {
        if (!queue.isFront(operation.id)) return { type: "reject", accepted: false, attempts: 0, isDead: false }
        const attempts = queue.attempts + 1
        const isDead = operation.attemptsMax !== undefined && attempts >= operation.attemptsMax
        if (isDead) {
          const { at, reason } = operation
          const death = { sequence: queue.firstSequence, attempts, reason, at }
          open(deadQueueOf(operation.queue)).move(queue.takeFront(), death)
        } else {
          queue.count()
        }
        return { type: "reject", accepted: true, attempts, isDead }
      }
      case "redrive": {
        const dead = open(deadQueueOf(operation.queue))
        const moved = Math.min(operation.itemsMax, dead.lastSequence - dead.firstSequence + 1)
        for (let i = 0; i < moved; i++) queue.move(dead.takeFront(), undefined)
        return { type: "redrive", moved }
      }
    }
  })
  const changed = [...queues].filter(([, queue]) => queue.isChanged)
  const arrivals = changed.map(([name, queue]) => [name, queue.remaining] as const)
  return {
    lacks,
    results,
    ends: new Map(changed.map(([name, queue]) => [name, queue.ends])),
    arrivals: new Map(arrivals.filter(([, list]) => list.length > 0)),
    moves: arrivals.flatMap(([, list]) =>
      list.flatMap((one) => (one.type === "item" && "place" in one.item ? [one.item.place] : [])),
    ),
  }
}

/** A queue in the middle of a plan. */
class PlannedQueue {
  isChanged = false
  firstSequence: number
  lastSequence: number
  attempts: number
  private readonly name: string
  private readonly idAt: StoredQueues["idAt"]
  private readonly storedLast: number
  private readonly arrivals: Array<Arrival> = []
  /** The arrival that the front is in, once it is not stored. */
  private next = 0

  constructor(name: string, { attempts, firstSequence, lastSequence }: QueueEnds, idAt: StoredQueues["idAt"]) {
    this.name = name
    this.idAt = idAt
    this.storedLast = lastSequence
    this.firstSequence = firstSequence
    this.lastSequence = lastSequence
    this.attempts = attempts
  }

  get ends(): QueueEnds {
    const { attempts, firstSequence, lastSequence } = this
    return { firstSequence, lastSequence, attempts }
  }

  /** What arrived and has not left again. */
  get remaining(): ReadonlyArray<Arrival> {
    return this.arrivals.filter(({ lastSequence }) => lastSequence >= this.firstSequence)
  }

  append(block: ItemBlock): void {
    this.isChanged = true
    this.lastSequence += block.items
    this.arrivals.push({ type: "block", block, lastSequence: this.lastSequence })
  }

  move(item: Moving, death: Death | undefined): void {
    this.isChanged = true
    this.lastSequence += 1
    this.arrivals.push({ type: "item", item, death, lastSequence: this.lastSequence })
  }

  count(): void {
    this.isChanged = true
    this.attempts += 1
  }

  isFront(id: string): boolean {
    if (this.firstSequence > this.lastSequence) return false
    const front = this.front()
    return id === ("place" in front ? this.idAt(front.place) : front.content.id)
  }

  remove(items: number): void {
    if (items === 0) return
    this.isChanged = true
    this.firstSequence += items
    this.attempts = 0
  }

  takeFront(): Moving {
    const front = this.front()
    this.remove(1)
    return front
  }

  private front(): Moving {
    const { arrivals, firstSequence: sequence } = this
    if (sequence <= this.storedLast) return { place: { queue: this.name, sequence } }
    while (arrivals[this.next]!.lastSequence < sequence) this.next++
    const arrival = arrivals[this.next]!
    return arrival.type === "item"
      ? arrival.item
      : { content: new ItemBlockReader({ ...arrival.block, lastSequence: arrival.lastSequence }).content(sequence) }
  }
}

/** What arrives in a queue as blocks to store. Items that move one after another share a block. */
export const arrivingBlocks = (
  arrivals: ReadonlyArray<Arrival>,
  contentAt: (place: ItemPlace) => ItemContent,
): ReadonlyArray<StoredItemBlock> => {
  const blocks: Array<StoredItemBlock> = []
  let moving: Array<ItemContent> = []
  let lastSequence = 0
  const settle = () => {
    let sequence = lastSequence - moving.length
    for (const block of packItems(moving)) blocks.push({ ...block, lastSequence: (sequence += block.items) })
    moving = []
  }
  for (const arrival of arrivals) {
    if (arrival.type === "block") {
      settle()
      blocks.push({ ...arrival.block, lastSequence: arrival.lastSequence })
      continue
    }
    const { death, item } = arrival
    moving.push({ ...("place" in item ? contentAt(item.place) : item.content), death })
    lastSequence = arrival.lastSequence
  }
  settle()
  return blocks
}
