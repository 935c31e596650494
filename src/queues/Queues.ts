/**
 * Work queues: first in, first out, each item kept until somebody has done it.
 *
 * Only the front of a queue can be acknowledged or rejected, so items are done in their order. An item is handed out
 * again for as long as it is not acknowledged: at least once, whatever breaks off.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type {
  AccessDenied,
  InvalidArgument,
  MessageTooLarge,
  NotPermitted,
  OutcomeUnknown,
  QueueTaken,
  StorageFailed,
  StorageFull,
  Unavailable,
} from "../domain/errors.ts"
import type { NodeId } from "../domain/NodeId.ts"
import type { QueueItem } from "../domain/QueueItem.ts"
import type { QueueState } from "../storage/QueueStore.ts"

export interface EnqueueOptions {
  /** What the item is about, by the rules of topics; by default the queue's name. */
  readonly topic?: string | undefined
  /** The node that the item is for. It is told to whoever takes it, and has no effect here. */
  readonly target?: NodeId | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

export interface RejectOptions {
  /** With so many attempts the item moves to the dead queue; by default it never does. */
  readonly attemptsMax?: number | undefined
  /** Why, for whoever looks at the dead queue. */
  readonly reason?: string | undefined
}

export interface Rejection {
  /** Whether it was the front, and now counts one attempt more. */
  readonly accepted: boolean
  /** Attempts counted with this one; 0 where it was not accepted. */
  readonly attempts: number
  /** Whether it went to the dead queue. */
  readonly isDead: boolean
}

export interface ItemsOptions {
  /** After which sequence, by default 0: from the front on. */
  readonly after?: number | undefined
  /** Items at most, by default 100, up to 10,000. Fewer come where the page is full (4 MiB). */
  readonly limit?: number | undefined
}

export interface TakeOptions {
  /** After so many failed attempts an item moves to the dead queue; by default 10. */
  readonly attemptsMax?: number | undefined
  /**
   * How long to wait before an item is tried again, given how often it has failed; by default 100 ms, and twice as long
   * each time, up to 30 seconds.
   */
  readonly backoff?: ((attempts: number) => Duration.Input) | undefined
  /** Run once, when the queue is this taker's. */
  readonly onTaken?: Effect.Effect<void> | undefined
}

/** Why a queue cannot be read. */
export type QueueReadError = AccessDenied | InvalidArgument | StorageFailed | Unavailable

/** Why a queue cannot be written. */
export type QueueWriteError =
  | AccessDenied
  | InvalidArgument
  | StorageFailed
  | StorageFull
  | OutcomeUnknown
  | Unavailable

/** Why an item cannot be enqueued. */
export type EnqueueError = QueueWriteError | NotPermitted | MessageTooLarge

export class Queues extends Context.Service<
  Queues,
  {
    /** Adds an item at the end; succeeds once it is durable. Text is stored as UTF-8. */
    readonly enqueue: (
      queue: string,
      payload: Uint8Array | string,
      options?: EnqueueOptions,
    ) => Effect.Effect<QueueItem, EnqueueError>

    /** The front, which stays there; none where the queue is empty. */
    readonly peek: (queue: string) => Effect.Effect<Option.Option<QueueItem>, QueueReadError>

    /** Items in their order, which stay where they are. */
    readonly items: (queue: string, options?: ItemsOptions) => Effect.Effect<ReadonlyArray<QueueItem>, QueueReadError>

    /** Removes the front, if it has this id; gives whether it had. */
    readonly ack: (queue: string, id: string) => Effect.Effect<boolean, QueueWriteError>

    /** Counts a failed attempt at the front, if it has this id. */
    readonly reject: (queue: string, id: string, options?: RejectOptions) => Effect.Effect<Rejection, QueueWriteError>

    /** Moves items from the front of the dead queue back to the end of the queue, by default all; gives how many. */
    readonly redrive: (queue: string, itemsMax?: number) => Effect.Effect<number, QueueWriteError>

    /**
     * Does a queue's items with a handler, one after the other, for as long as it runs: what succeeds is acknowledged,
     * what fails is rejected and tried again, what is interrupted stays as it was. There is one taker of a queue at a
     * time, also where several nodes share a store; another one fails with `QueueTaken`. A node that is out of touch with
     * such a store may lose the queue: its taker begins anew where it can, and fails with `QueueTaken` where another node
     * has it.
     */
    readonly take: <E, R>(
      queue: string,
      handler: (item: QueueItem) => Effect.Effect<unknown, E, R>,
      options?: TakeOptions,
    ) => Effect.Effect<never, QueueWriteError | QueueTaken, R>

    /** All queues that anything was ever enqueued to, sorted by name. */
    readonly queues: Effect.Effect<ReadonlyArray<QueueState>, AccessDenied | StorageFailed | Unavailable>
  }
>()("millrace/queues/Queues") {}
