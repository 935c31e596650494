/**
 * A place for one thing at a time between who makes it and who asks for it: the maker goes on when it has been taken.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

interface Offered<A> {
  readonly value: A
  readonly taken: () => void
}

export class Handoff<A, E> {
  #offered: Offered<A> | undefined
  #failure: Cause.Cause<E> | undefined
  #asking: ((result: Effect.Effect<A, E>) => void) | undefined
  readonly #onTaken: (value: A) => void

  /** @param onTaken called in the moment that something is taken */
  constructor(onTaken: (value: A) => void) {
    this.#onTaken = onTaken
  }

  /** Offers something; succeeds when it has been taken. One maker at a time. */
  put(value: A): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const asking = this.#asking
      if (asking !== undefined) {
        this.#asking = undefined
        this.#onTaken(value)
        asking(Effect.succeed(value))
        return resume(Effect.void)
      }
      const offered = { value, taken: () => resume(Effect.void) }
      this.#offered = offered
      return Effect.sync(() => {
        if (this.#offered === offered) this.#offered = undefined
      })
    })
  }

  /** Nothing more comes. */
  fail(cause: Cause.Cause<E>): void {
    this.#failure ??= cause
    const asking = this.#asking
    this.#asking = undefined
    asking?.(Effect.failCause(this.#failure))
  }

  /** What comes next, or nothing where it does not come in time. Whoever asked before gets nothing. */
  take(waitMillis: number): Effect.Effect<Option.Option<A>, E> {
    return Effect.timeoutOption(this.#take, waitMillis)
  }

  readonly #take = Effect.callback<A, E>((resume) => {
    const offered = this.#offered
    if (offered !== undefined) {
      this.#offered = undefined
      this.#onTaken(offered.value)
      resume(Effect.succeed(offered.value))
      return offered.taken()
    }
    if (this.#failure !== undefined) return resume(Effect.failCause(this.#failure))
    this.#asking = resume
    return Effect.sync(() => {
      if (this.#asking === resume) this.#asking = undefined
    })
  })
}
