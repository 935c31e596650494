/**
 * Doing a queue's items, one after the other. Items are read ahead; each is done, and acknowledged or rejected; a failed
 * one is tried again after a while, and nothing overtakes it.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Cause from "effect/Cause"
import type { StorageFailed } from "../domain/errors.ts"
import type { PageLimit } from "../storage/LogStore.ts"
import type { QueueItem } from "../domain/QueueItem.ts"
import type { Queues, QueueWriteError, TakeOptions } from "./Queues.ts"
import type { Acknowledged } from "./internal/entries.ts"
import type { QueueWriter } from "./internal/QueueWriter.ts"

/** Failed attempts after which an item is dead. */
export const attemptsMaxDefault = 10

/** 100 ms, and twice as long each time, up to 30 seconds. */
export const backoffDefault = (attempts: number): Duration.Input =>
  Math.min(100 * 2 ** Math.min(attempts - 1, 20), 30_000)

/** The longest reason that is kept, in UTF-16 units. */
const reasonLengthMax = 1000

/** What a failed handler said, for the dead queue. */
export const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  const text = error instanceof Error ? error.message : typeof error === "string" ? error : Cause.pretty(cause)
  return text.slice(0, reasonLengthMax).toWellFormed()
}

/** Wakes a taker that found its queue empty. */
const makeBell = (writer: QueueWriter["Service"], queue: string): Effect.Effect<Latch.Latch, never, Scope.Scope> =>
  Effect.gen(function* () {
    const bell = yield* Latch.make(false)
    yield* Effect.acquireRelease(
      Effect.sync(() => writer.onEnqueued((queues) => void (queues.has(queue) && bell.openUnsafe()))),
      (remove) => Effect.sync(remove),
    )
    return bell
  })

/** Items that are read ahead, and as many that may be done without being acknowledged on the disk yet. */
const windowItems = 1024
const windowBytes = 1024 * 1024

export interface TakeSources {
  readonly writer: QueueWriter["Service"]
  readonly pollMillis: number
  /** A queue's items after a sequence. */
  readonly read: (
    queue: string,
    after: number,
    limit: PageLimit,
  ) => Effect.Effect<ReadonlyArray<QueueItem>, StorageFailed>
  readonly reject: Queues["Service"]["reject"]
}

/**
 * Acknowledgements on their way to the disk: they share commits, and the next item need not wait for them. An item that
 * is done is acknowledged even if its taker is interrupted meanwhile.
 */
class Acknowledgements {
  readonly #writer: QueueWriter["Service"]
  readonly #queue: string
  readonly #settled = Latch.makeUnsafe(true)
  readonly #room = Latch.makeUnsafe(true)
  #count = 0
  #failure: QueueWriteError | undefined
  /** Whether one was not the front any more: somebody else has been at the queue. */
  isOutOfStep = false

  constructor(writer: QueueWriter["Service"], queue: string) {
    this.#writer = writer
    this.#queue = queue
  }

  /** Acknowledges an item. */
  send(sequence: number): void {
    if (this.#count++ === 0) this.#settled.closeUnsafe()
    if (this.#count === windowItems) this.#room.closeUnsafe()
    this.#writer.done(this.#queue, sequence, this.#acknowledged)
  }

  readonly #acknowledged: Acknowledged = (result) => {
    if (result === false) this.isOutOfStep = true
    else if (result !== true) this.#failure ??= result
    if (this.#count-- === windowItems) this.#room.openUnsafe()
    if (this.#count === 0) this.#settled.openUnsafe()
  }

  /** Whether nothing more may be sent for now. */
  get isFull(): boolean {
    return this.#count >= windowItems
  }

  /** Waits until there is room for more. */
  get room(): Effect.Effect<void> {
    return this.#room.await
  }

  /** Waits until all are on the disk; fails where one could not be brought there. */
  get settled(): Effect.Effect<void, QueueWriteError> {
    return Effect.flatMap(this.#settled.await, () => this.failure)
  }

  /** Fails where one could not be brought to the disk. */
  get failure(): Effect.Effect<void, QueueWriteError> {
    return this.#failure === undefined ? Effect.void : Effect.fail(this.#failure)
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined
  }
}

/** Takes a queue for as long as it runs. Nobody else may. */
export const take = <E, R>(
  { pollMillis, read, reject, writer }: TakeSources,
  queue: string,
  handler: (item: QueueItem) => Effect.Effect<unknown, E, R>,
  { attemptsMax = attemptsMaxDefault, backoff = backoffDefault }: TakeOptions,
): Effect.Effect<never, QueueWriteError, R> =>
  Effect.scoped(
    Effect.gen(function* () {
      const bell = yield* makeBell(writer, queue)
      const acks = new Acknowledgements(writer, queue)
      yield* Effect.addFinalizer(() => Effect.ignore(acks.settled))

      /** Does an item until it has succeeded or is dead; gives whether it is gone from the queue then. */
      const doItem = (item: QueueItem): Effect.Effect<boolean, QueueWriteError, R> =>
        Effect.gen(function* () {
          let current = item
          while (true) {
            const exit = yield* Effect.exit(handler(current))
            if (Exit.isSuccess(exit)) {
              acks.send(item.sequence)
              return true
            }
            if (Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.interrupt
            // It is the front only when those before it are gone: operations take effect in the order in which they came.
            const reason = reasonOf(exit.cause)
            const { accepted, attempts, isDead } = yield* reject(queue, item.id, { attemptsMax, reason })
            if (!accepted || isDead) return accepted
            yield* Effect.sleep(backoff(attempts))
            current = { ...item, attempts }
          }
        })

      /** The last item that was done. */
      let last = 0
      while (true) {
        // Closed before looking: what is added from here on rings.
        bell.closeUnsafe()
        const items = yield* read(queue, last, { rows: windowItems, bytes: windowBytes })
        if (items.length === 0) yield* Effect.timeoutOption(bell.await, pollMillis)
        for (const item of items) {
          if (!(yield* doItem(item))) acks.isOutOfStep = true
          if (acks.isOutOfStep || acks.hasFailed) break
          last = item.sequence
          if (acks.isFull) yield* acks.room
        }
        yield* acks.failure
        if (!acks.isOutOfStep) continue
        yield* acks.settled
        acks.isOutOfStep = false
        last = 0
      }
    }),
  )
