/**
 * A group commit's way out and back: from waiting entries to the store's operations, and from its results to an answer
 * for each. Plain code over whole batches.
 *
 * Items for one queue go as one operation, and so do acknowledgements of items that follow each other. What waits at the
 * same time has no order, except that a taker's acknowledgements and rejections take effect in the order in which they
 * came; so all new items go first.
 */
import { StorageFull } from "../../domain/errors.ts"
import type { QueueItem } from "../../domain/QueueItem.ts"
import type { NodeId } from "../../domain/NodeId.ts"
import { overlapEntriesMin } from "../../storage/parts/CommitPump.ts"
import { makeIds } from "../../storage/parts/ids.ts"
import { packItems } from "../../storage/parts/ItemBlock.ts"
import { type QueueOperation, queuesAddedTo, type QueueResult, type ResultOf } from "../../storage/QueueStore.ts"
import type { PendingItem } from "../draft.ts"
import { DoneEntry, EnqueueEntry, type Entry, type OperationEntry } from "./entries.ts"

type Mutable<A> = { -readonly [Name in keyof A]: A[Name] }

/** An item that has no sequence yet: a plain object made by a constructor, for the reason that `PlaceableMessage` gives. */
const PlaceableItem = function (
  this: Mutable<QueueItem>,
  { headers, payload, queue, target, topic }: PendingItem,
  source: NodeId,
  id: string,
  createdAt: number,
) {
  this.queue = queue
  this.id = id
  this.sequence = 0
  this.attempts = 0
  this.topic = topic
  this.source = source
  this.target = target
  this.createdAt = createdAt
  this.headers = headers
  this.payload = payload
  this.death = undefined
} as unknown as new (draft: PendingItem, source: NodeId, id: string, createdAt: number) => Mutable<QueueItem>
PlaceableItem.prototype = Object.prototype

/** One operation of a commit, and who gets its result. */
interface Step {
  readonly operation: QueueOperation
  /** @param halfway to be called when half of many have been answered */
  readonly answer: (result: QueueResult, halfway: () => void) => void
}

export interface Commit {
  readonly steps: ReadonlyArray<Step>
  /** Queues that items may have come to, given the results. */
  readonly added: (results: ReadonlyArray<QueueResult>) => ReadonlySet<string>
}

/** Prepares a commit: each item gets its id, all get one creation time (milliseconds since 1970). */
export const prepare = (entries: ReadonlyArray<Entry>, source: NodeId, createdAt: number): Commit => {
  const enqueues = new Map<string, Array<EnqueueEntry>>()
  const others: Array<DoneEntry | OperationEntry> = []
  let items = 0
  for (const entry of entries) {
    if (!(entry instanceof EnqueueEntry)) {
      others.push(entry)
      continue
    }
    items += 1
    const { queue } = entry.draft
    const list = enqueues.get(queue)
    if (list === undefined) enqueues.set(queue, [entry])
    else list.push(entry)
  }
  const ids = makeIds(items)
  let next = 0
  const toItem = ({ draft }: EnqueueEntry) => new PlaceableItem(draft, source, ids[next++]!, createdAt)
  const steps: Array<Step> = []
  for (const [queue, list] of enqueues) steps.push(enqueueStep(queue, list, list.map(toItem)))
  for (let i = 0; i < others.length;) {
    const entry = others[i]!
    const run = entry instanceof DoneEntry ? runAt(others, i) : undefined
    steps.push(run === undefined ? operationStep(entry as OperationEntry) : doneStep(run))
    i += run?.length ?? 1
  }
  const operations = steps.map(({ operation }) => operation)
  return { steps, added: (results) => queuesAddedTo(operations, results) }
}

const enqueueStep = (queue: string, entries: Array<EnqueueEntry>, items: Array<Mutable<QueueItem>>): Step => ({
  operation: { type: "enqueue", queue, blocks: packItems(items) },
  answer: (result, halfway) => {
    if (result.type === "full") {
      for (const entry of entries) entry.fail(fullError(result.message))
      return
    }
    const { firstSequence } = result as ResultOf<"enqueue">
    const half = items.length >= 2 * overlapEntriesMin ? items.length >> 1 : -1
    for (let i = 0; i < items.length; i++) {
      if (i === half) halfway()
      const item = items[i]!
      item.sequence = firstSequence + i
      entries[i]!.succeed(item)
    }
    // See `Flight`.
    entries.length = 0
    items.length = 0
  },
})

const fullError = (message: string) => new StorageFull({ operation: "enqueue", message })

/** Acknowledgements from here on that are of one queue and follow each other. */
const runAt = (entries: ReadonlyArray<DoneEntry | OperationEntry>, start: number): Array<DoneEntry> => {
  const run: Array<DoneEntry> = []
  for (let i = start; i < entries.length; i++) {
    const entry = entries[i]!
    const last = run[run.length - 1]
    if (!(entry instanceof DoneEntry)) break
    if (last !== undefined && (entry.queue !== last.queue || entry.sequence !== last.sequence + 1)) break
    run.push(entry)
  }
  return run
}

const doneStep = (run: Array<DoneEntry>): Step => {
  const { queue, sequence } = run[0]!
  return {
    operation: { type: "ackRange", queue, first: sequence, last: sequence + run.length - 1 },
    answer: (result) => {
      const { removed } = result as ResultOf<"ackRange">
      for (let i = 0; i < run.length; i++) run[i]!.done(i < removed)
      run.length = 0
    },
  }
}

const operationStep = (entry: OperationEntry): Step => ({
  operation: entry.operation,
  answer: (result) => (result.type === "full" ? entry.fail(fullError(result.message)) : entry.succeed(result)),
})
