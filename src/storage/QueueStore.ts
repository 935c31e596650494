/**
 * The contract of a store of queues. The same backends that keep logs keep them, in the same database.
 *
 * A queue is a log whose front moves on: items get sequences 1, 2, 3 … as they come, in blocks, and what is there is
 * always everything from the front to the last. All that changes a queue is an operation, and a batch of operations is
 * one durable commit: they take effect in batch order, each as if it were alone, and an operation that is refused
 * changes nothing and does not stop the others. Failures are those of `LogStore`.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { StorageFailed, WriteFailure } from "../domain/errors.ts"
import { deadQueueOf } from "../domain/QueueItem.ts"
import type { ItemBlock, StoredItemBlock } from "./parts/ItemBlock.ts"
import type { PageLimit } from "./LogStore.ts"

export type QueueOperation =
  /** Adds items at the end: see `packItems`. */
  | { readonly type: "enqueue"; readonly queue: string; readonly blocks: ReadonlyArray<ItemBlock> }
  /** Removes the front, if it has this id. */
  | { readonly type: "ack"; readonly queue: string; readonly id: string }
  /** Removes the items with these sequences, if the first of them is the front: for who takes one after the other. */
  | { readonly type: "ackRange"; readonly queue: string; readonly first: number; readonly last: number }
  /**
   * Counts a failed attempt at the front, if it has this id. It stays there, unless that was one attempt too many:
   * then it moves to the end of the dead queue, with what is known of its failure.
   */
  | {
      readonly type: "reject"
      readonly queue: string
      readonly id: string
      readonly reason: string | undefined
      /** Milliseconds since 1970. */
      readonly at: number
      /** With so many attempts the item is dead; absent: never. */
      readonly attemptsMax: number | undefined
    }
  /**
   * Moves so many items from the front of the dead queue back to the end of the queue, as if they had just come. All of
   * them are in memory at once.
   */
  | { readonly type: "redrive"; readonly queue: string; readonly itemsMax: number }

export type QueueResult =
  | {
      readonly type: "enqueue"
      /** Of the first item; the others have those after it. */
      readonly firstSequence: number
    }
  | { readonly type: "ack"; readonly accepted: boolean }
  | {
      readonly type: "ackRange"
      /** How many items, from the first on. */
      readonly removed: number
    }
  | {
      readonly type: "reject"
      readonly accepted: boolean
      /** Attempts counted with this one; 0 where it was not accepted. */
      readonly attempts: number
      readonly isDead: boolean
    }
  | { readonly type: "redrive"; readonly moved: number }
  | {
      /** What became of an enqueue or a redrive where the store is full: nothing. */
      readonly type: "full"
      /** Why, in a sentence. */
      readonly message: string
    }

/** The result of an operation of one type. */
export type ResultOf<Type extends QueueOperation["type"]> = Extract<QueueResult, { readonly type: Type }>

/** Items of a queue, and what has to be known of the queue to make use of them. */
export interface QueuePage {
  /** Consecutive blocks, which are the caller's own. What comes before the front in them is gone. */
  readonly blocks: ReadonlyArray<StoredItemBlock>
  /** The front's sequence, or that of the next item to come where the queue is empty. */
  readonly firstSequence: number
  /** Sequence of the last item that ever came; 0 where none did. */
  readonly lastSequence: number
  /** How often the front was rejected. */
  readonly attempts: number
}

export interface QueueState {
  readonly queue: string
  /** Items in it. */
  readonly depth: number
  /** Sequence of the last item that ever came; 0 where none did. */
  readonly lastSequence: number
  /** When the front was enqueued, in milliseconds since 1970; absent where the queue is empty. */
  readonly oldestAt: number | undefined
}

export class QueueStore extends Context.Service<
  QueueStore,
  {
    /**
     * Applies operations in one durable commit, and keeps their blocks. Gives the result of each, in their order. A
     * store that is full enqueues and redrives nothing, and goes on with the rest; it fails where there is no rest.
     */
    readonly apply: (
      operations: ReadonlyArray<QueueOperation>,
    ) => Effect.Effect<ReadonlyArray<QueueResult>, WriteFailure>

    /**
     * A queue's items after a sequence, in order. The first of them is always in the page; whole blocks follow, as many
     * as the limit has room for.
     */
    readonly page: (queue: string, after: number, limit: PageLimit) => Effect.Effect<QueuePage, StorageFailed>

    /** All queues that anything was ever enqueued to, sorted by name. */
    readonly queues: Effect.Effect<ReadonlyArray<QueueState>, StorageFailed>

    /**
     * Of a shared store: calls a listener when another node has enqueued to a queue. A hint that may be lost: whoever
     * waits looks again now and then. Gives how to take the listener away again.
     */
    readonly onEnqueued?: (listener: (queue: string) => void) => () => void
  }
>()("millrace/storage/QueueStore") {}

/** The queues that a batch of operations has added items to, given its results. */
export const queuesAddedTo = (
  operations: ReadonlyArray<QueueOperation>,
  results: ReadonlyArray<QueueResult>,
): ReadonlySet<string> => {
  const added = new Set<string>()
  operations.forEach(({ queue }, i) => {
    const result = results[i]!
    if (result.type === "enqueue" || (result.type === "redrive" && result.moved > 0)) added.add(queue)
    else if (result.type === "reject" && result.isDead) added.add(deadQueueOf(queue))
  })
  return added
}

/** Queues by name, in the order of UTF-16 units: databases have orders of their own. */
export const sortQueues = (queues: ReadonlyArray<QueueState>): ReadonlyArray<QueueState> =>
  queues.toSorted((a, b) => (a.queue < b.queue ? -1 : a.queue > b.queue ? 1 : 0))
