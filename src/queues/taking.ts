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
import * as Result from "effect/Result"
import type { StorageFailed } from "../domain/errors.ts"
import { failureOf } from "../storage/failure.ts"
import type { PageLimit } from "../storage/LogStore.ts"
import type { QueueItem } from "../domain/QueueItem.ts"
import type { Queues, QueueWriteError, TakeOptions } from "./Queues.ts"
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

/** Items that are read ahead, and that may be done without being acknowledged on the disk yet. */
const windowItems = 100
const windowBytes = 1024 * 1024

export interface TakeSources {
  readonly writer: QueueWriter["Service"]
  readonly pollMillis: number
  readonly front: (queue: string, limit: PageLimit) => Effect.Effect<ReadonlyArray<QueueItem>, StorageFailed>
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

  /** Acknowledges an item; waits only where too many are on their way. */
  send(id: string): Effect.Effect<void> {
    this.#count += 1
    this.#settled.closeUnsafe()
    if (this.#count >= windowItems) this.#room.closeUnsafe()
    Effect.runFork(Effect.result(this.#writer.apply({ type: "ack", queue: this.#queue, id }))).addObserver((exit) => {
      if (Exit.isFailure(exit)) this.#failure ??= failureOf(exit.cause, "ack")
      else if (Result.isFailure(exit.value)) this.#failure ??= exit.value.failure
      else if (!exit.value.success.accepted) this.isOutOfStep = true
      this.#count -= 1
      this.#room.openUnsafe()
      if (this.#count === 0) this.#settled.openUnsafe()
    })
    return this.#room.await
  }

  /** Waits until all are on the disk; fails where one could not be brought there. */
  get settled(): Effect.Effect<void, QueueWriteError> {
    return Effect.flatMap(this.#settled.await, () =>
      this.#failure === undefined ? Effect.void : Effect.fail(this.#failure),
    )
  }
}

/** Takes a queue for as long as it runs. Nobody else may. */
export const take = <E, R>(
  { front, pollMillis, reject, writer }: TakeSources,
  queue: string,
  handler: (item: QueueItem) => Effect.Effect<unknown, E, R>,
  { attemptsMax = attemptsMaxDefault, backoff = backoffDefault }: TakeOptions,
): Effect.Effect<never, QueueWriteError, R> =>
  Effect.scoped(
    Effect.gen(function* () {
      const bell = yield* makeBell(writer, queue)
      const acks = new Acknowledgements(writer, queue)
      yield* Effect.addFinalizer(() => Effect.ignore(acks.settled))
      while (true) {
        yield* acks.settled
        acks.isOutOfStep = false
        // Closed before looking: what is added from here on rings.
        bell.closeUnsafe()
        const items = yield* front(queue, { rows: windowItems, bytes: windowBytes })
        if (items.length === 0) {
          yield* Effect.timeoutOption(bell.await, pollMillis)
          continue
        }
        for (const item of items) {
          const exit = yield* Effect.exit(handler(item))
          if (Exit.isSuccess(exit)) {
            yield* acks.send(item.id)
            if (acks.isOutOfStep) break
            continue
          }
          if (Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.interrupt
          // It is the front only when those before it are gone: operations take effect in the order in which they came.
          const reason = reasonOf(exit.cause)
          const { attempts, isDead } = yield* reject(queue, item.id, { attemptsMax, reason })
          if (attempts > 0 && isDead) continue
          if (attempts > 0) yield* Effect.sleep(backoff(attempts))
          break
        }
      }
    }),
  )
