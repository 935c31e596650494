/**
 * The contract of a store of queues. The same backends that keep logs keep them, in the same database.
 *
 * All that changes a queue is an operation, and a batch of operations is one durable commit: they take effect in batch
 * order, each as if it were alone, and an operation that is refused changes nothing and does not stop the others. Only
 * the front of a queue can be acknowledged or rejected. Failures are those of `LogStore`.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { StorageFailed, WriteFailure } from "../domain/errors.ts"
import type { QueueItem } from "../domain/QueueItem.ts"
import type { PageLimit } from "./LogStore.ts"

/** An item to enqueue: it gets its sequence from the store. */
export type ItemDraft = Omit<QueueItem, "sequence" | "attempts" | "death">

export type QueueOperation =
  | { readonly type: "enqueue"; readonly item: ItemDraft }
  /** Removes the front, if it has this id. */
  | { readonly type: "ack"; readonly queue: string; readonly id: string }
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
  /** Moves so many items from the front of the dead queue back to the end of the queue, as if they had just come. */
  | { readonly type: "redrive"; readonly queue: string; readonly itemsMax: number }

export type QueueResult =
  | { readonly type: "enqueue"; readonly sequence: number }
  | { readonly type: "ack"; readonly accepted: boolean }
  | {
      readonly type: "reject"
      readonly accepted: boolean
      /** Attempts counted with this one; 0 where it was not accepted. */
      readonly attempts: number
      readonly isDead: boolean
    }
  | { readonly type: "redrive"; readonly moved: number }

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
     * Applies operations in one durable commit. Gives the result of each, in their order. A store that is full takes
     * only batches without `enqueue`.
     */
    readonly apply: (
      operations: ReadonlyArray<QueueOperation>,
    ) => Effect.Effect<ReadonlyArray<QueueResult>, WriteFailure>

    /** A queue's items after a sequence, in order. */
    readonly items: (
      queue: string,
      after: number,
      limit: PageLimit,
    ) => Effect.Effect<ReadonlyArray<QueueItem>, StorageFailed>

    /** All queues that anything was ever enqueued to, sorted by name. */
    readonly queues: Effect.Effect<ReadonlyArray<QueueState>, StorageFailed>
  }
>()("millrace/storage/QueueStore") {}

/** Queues by name, in the order of UTF-16 units: databases have orders of their own. */
export const sortQueues = (queues: ReadonlyArray<QueueState>): ReadonlyArray<QueueState> =>
  queues.toSorted((a, b) => (a.queue < b.queue ? -1 : a.queue > b.queue ? 1 : 0))
