/**
 * The node's side of a caller that takes a queue: one item is out at a time, and its taker waits for the caller's word on
 * it. Until that comes, whoever asks gets the same item again.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { QueueItem } from "../../domain/QueueItem.ts"

/** What became of an item: nothing where it succeeded. */
export interface Word {
  readonly sequence: number
  readonly failure: string | undefined
  readonly backoffMillis: number | undefined
}

interface Current {
  readonly item: QueueItem
  readonly settle: (word: Word) => void
}

export class Taker<E> {
  #current: Current | undefined
  #backoffMillis: number | undefined
  #asking: ((result: Effect.Effect<QueueItem, E>) => void) | undefined
  #ended: Effect.Effect<never, E> | undefined

  /** The taker's handler: succeeds or fails as the caller says. */
  readonly handle = (item: QueueItem): Effect.Effect<void, string> =>
    Effect.callback((resume) => {
      const current: Current = {
        item,
        settle: ({ failure, backoffMillis }) => {
          this.#current = undefined
          this.#backoffMillis = backoffMillis
          resume(failure === undefined ? Effect.void : Effect.fail(failure))
        },
      }
      this.#current = current
      this.#answer(Effect.succeed(item))
      return Effect.sync(() => {
        if (this.#current === current) this.#current = undefined
      })
    })

  /** How long to wait before the item is handed out again that has just failed. */
  readonly backoff = (fallback: (attempts: number) => Duration.Input) => (attempts: number) =>
    this.#backoffMillis ?? fallback(attempts)

  /** The caller says what became of the item that is out; of any other it is not listened to. */
  tell(word: Word): void {
    if (this.#current?.item.sequence === word.sequence) this.#current.settle(word)
  }

  /** The item that is out, when there is one. */
  readonly next: Effect.Effect<QueueItem, E> = Effect.callback<QueueItem, E>((resume) => {
    if (this.#ended !== undefined) return resume(this.#ended)
    if (this.#current !== undefined) return resume(Effect.succeed(this.#current.item))
    this.#asking = resume
    return Effect.sync(() => {
      if (this.#asking === resume) this.#asking = undefined
    })
  })

  /** There are no more items. */
  end(reason: Effect.Effect<never, E>): void {
    this.#ended = reason
    this.#answer(reason)
  }

  #answer(result: Effect.Effect<QueueItem, E>): void {
    const asking = this.#asking
    this.#asking = undefined
    asking?.(result)
  }
}
