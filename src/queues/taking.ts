/**
 * Doing a queue's items, one after the other. The front is read, done, and acknowledged or rejected; a failed item is
 * tried again after a while, and nothing overtakes it.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import type { StorageFailed } from "../domain/errors.ts"
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

export interface TakeSources {
  readonly writer: QueueWriter["Service"]
  readonly pollMillis: number
  readonly peek: (queue: string) => Effect.Effect<Option.Option<QueueItem>, StorageFailed>
  readonly ack: Queues["Service"]["ack"]
  readonly reject: Queues["Service"]["reject"]
}

/** Takes a queue for as long as it runs. Nobody else may. */
export const take = <E, R>(
  { ack, peek, pollMillis, reject, writer }: TakeSources,
  queue: string,
  handler: (item: QueueItem) => Effect.Effect<unknown, E, R>,
  { attemptsMax = attemptsMaxDefault, backoff = backoffDefault }: TakeOptions,
): Effect.Effect<never, QueueWriteError, R> =>
  Effect.scoped(
    Effect.gen(function* () {
      const bell = yield* makeBell(writer, queue)
      while (true) {
        // Closed before looking: what is added from here on rings.
        bell.closeUnsafe()
        const front = yield* peek(queue)
        if (Option.isNone(front)) {
          yield* Effect.timeoutOption(bell.await, pollMillis)
          continue
        }
        const item = front.value
        const exit = yield* Effect.exit(handler(item))
        if (Exit.isSuccess(exit)) {
          yield* ack(queue, item.id)
          continue
        }
        if (Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.interrupt
        const { attempts, isDead } = yield* reject(queue, item.id, { attemptsMax, reason: reasonOf(exit.cause) })
        if (attempts > 0 && !isDead) yield* Effect.sleep(backoff(attempts))
      }
    }),
  )
