/**
 * The store of queues in an environment. It shares the fate of the store of logs: when one has stopped writing, so has the
 * other.
 */
import * as Effect from "effect/Effect"
import type { WriteFailure } from "../../domain/errors.ts"
import { DamagedBlock } from "../parts/Block.ts"
import { ItemBlockReader, type StoredItemBlock } from "../parts/ItemBlock.ts"
import type { KnownQueues } from "../parts/KnownQueues.ts"
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
import type { Commits, Written } from "./Commits.ts"
import type { Tables } from "./Environment.ts"
import {
  firstName,
  itemsKey,
  itemsValue,
  place,
  queueKey,
  queueValue,
  readItems,
  readItemsKey,
  readQueue,
  type StoredItems,
} from "./Layout.ts"

/** Whether an operation needs room for items. One that dies takes little, and makes room. */
const addsItems = ({ type }: QueueOperation): boolean => type === "enqueue" || type === "redrive"

export interface QueueStoreOptions {
  readonly tables: Tables
  readonly commits: Commits
  /** As of the last commit, where this store is the one that writes. */
  readonly queues: KnownQueues
}

export const make = (options: QueueStoreOptions): QueueStore["Service"] => {
  const { commits, tables } = options
  const write = (operations: ReadonlyArray<QueueOperation>, purpose: "adds" | "takes away") =>
    commits.write({
      operation: "apply",
      purpose,
      bytes: bytesOf(operations),
      body: () => apply(options, operations),
    })
  return {
    apply: (operations): Effect.Effect<ReadonlyArray<QueueResult>, WriteFailure> => {
      const rest = operations.filter((operation) => !addsItems(operation))
      if (rest.length === operations.length) return write(operations, "takes away")
      const all = write(operations, "adds")
      if (rest.length === 0) return all
      return Effect.catchTag(all, "StorageFull", ({ message }) =>
        Effect.map(write(rest, "takes away"), (results) => {
          let next = 0
          return operations.map((operation) =>
            addsItems(operation) ? { type: "full" as const, message } : results[next++]!,
          )
        }),
      )
    },
    page: (queue, after, limit) => commits.read("page", () => readPage(tables, queue, after, limit)),
    queues: commits.read("queues", () => readQueues(tables)),
  }
}

const bytesOf = (operations: ReadonlyArray<QueueOperation>): number => {
  let sum = 0
  for (const operation of operations) {
    if (operation.type === "enqueue") for (const { content } of operation.blocks) sum += content.byteLength
  }
  return sum
}

/** Reads the queues of a store that is opened to write. */
export const load = ({ queues }: Tables, known: KnownQueues): void => {
  for (const { key, value } of queues.rows(firstName)) {
    const { ends, name, number } = readQueue(key, value)
    known.set(name, { number, ends })
  }
}

/** The blocks of a queue that end after a sequence, in order, by their keys. */
function* blocksAfter({ queue_blocks }: Tables, queue: number, after: number): Generator<StoredItems> {
  for (const key of queue_blocks.keys(place(queue, after + 1), place(queue + 1, 0))) yield readItemsKey(key)
}

/** A block as it is stored. */
const read = ({ queue_blocks }: Tables, name: string, items: StoredItems): StoredItemBlock => {
  const value = queue_blocks.get(itemsKey(items))
  if (value !== undefined) return readItems(items, value)
  throw new DamagedBlock(`the queue ${JSON.stringify(name)} lacks its block that ends at ${items.lastSequence}`)
}

/** @throws DamagedBlock which says where it is */
const open = (name: string, block: StoredItemBlock): ItemBlockReader => {
  try {
    return new ItemBlockReader(block)
  } catch (error) {
    if (!(error instanceof DamagedBlock)) throw error
    const where = `the block of the queue ${JSON.stringify(name)} that ends at sequence ${block.lastSequence}`
    throw new DamagedBlock(`${where} is damaged: ${error.message}`)
  }
}

const firstOf = <A>(all: Iterable<A>): A | undefined => {
  for (const one of all) return one
  return undefined
}

/** Applies operations in a transaction. */
const apply = (
  { queues, tables }: QueueStoreOptions,
  operations: ReadonlyArray<QueueOperation>,
): Written<ReadonlyArray<QueueResult>> => {
  const blockAt = blocksOf(tables, queues)
  const plan = planQueues(operations, {
    ends: (queue) => queues.ends(queue),
    idAt: (item) => queues.idAt(item.queue, item.sequence) ?? blockAt(item).id(item.sequence),
  })
  const contentAt = (item: ItemPlace) => blockAt(item).content(item.sequence)
  let { lastNumber } = queues
  const changed = [...plan.ends].map(([name, ends]) => {
    const before = queues.find(name)
    const number = before?.number ?? ++lastNumber
    // What moves is read before it is removed.
    return { name, number, ends, blocks: arrivingBlocks(plan.arrivals.get(name) ?? [], contentAt) }
  })
  for (const { blocks, ends, name, number } of changed) {
    tables.queues.put(queueKey(name), queueValue({ number, name, ends }))
    removeGone(tables, number, ends.firstSequence)
    for (const block of blocks) {
      const { items, lastSequence } = block
      const value = itemsValue(block)
      tables.queue_blocks.put(itemsKey({ queue: number, lastSequence, items, bytes: value.byteLength }), value)
    }
  }
  return {
    value: plan.results,
    committed: () => {
      for (const { ends, name, number } of changed) queues.set(name, { number, ends })
    },
  }
}

/** A block goes with the last of its items. */
const removeGone = ({ queue_blocks }: Tables, queue: number, firstSequence: number): void => {
  const gone = [...queue_blocks.keys(place(queue, 0), place(queue, firstSequence))]
  for (const key of gone) queue_blocks.remove(key)
}

/** Finds the blocks of stored items. Those that were read are kept, and so are the ids in them, for the next time. */
const blocksOf = (tables: Tables, queues: KnownQueues): ((item: ItemPlace) => ItemBlockReader) => {
  const known = new Map<string, Array<ItemBlockReader>>()
  return ({ queue: name, sequence }) => {
    const blocks = known.get(name) ?? []
    const found = blocks.find((block) => block.firstSequence <= sequence && sequence <= block.lastSequence)
    if (found !== undefined) return found
    const items = firstOf(blocksAfter(tables, queues.find(name)!.number, sequence - 1))
    const block = items === undefined ? undefined : open(name, read(tables, name, items))
    if (block === undefined || block.firstSequence > sequence) {
      throw new DamagedBlock(`the queue ${JSON.stringify(name)} lacks its item ${sequence}`)
    }
    known.set(name, [...blocks, block])
    queues.know(name, { firstSequence: block.firstSequence, ids: block.ids() })
    return block
  }
}

const readPage = (tables: Tables, name: string, after: number, limit: PageLimit): QueuePage => {
  const key = queueKey(name)
  const value = tables.queues.get(key)
  if (value === undefined) return { ...newQueue, blocks: [] }
  const { ends, number } = readQueue(key, value)
  const sizes: Array<StoredItems> = []
  for (const block of blocksAfter(tables, number, Math.max(after, ends.firstSequence - 1))) {
    sizes.push(block)
    if (sizes.length >= Math.max(limit.rows, 1)) break
  }
  const wanted = sizes.slice(0, blocksWanted(sizes, limit))
  return { ...ends, blocks: wanted.map((items) => read(tables, name, items)) }
}

const readQueues = (tables: Tables): ReadonlyArray<QueueState> =>
  sortQueues(
    Array.from(tables.queues.rows(firstName), ({ key, value }) => {
      const { ends, name, number } = readQueue(key, value)
      const { firstSequence, lastSequence } = ends
      const front = firstOf(blocksAfter(tables, number, firstSequence - 1))
      const oldestAt = front === undefined ? undefined : open(name, read(tables, name, front)).createdAt(firstSequence)
      return { queue: name, depth: lastSequence - firstSequence + 1, lastSequence, oldestAt }
    }),
  )
