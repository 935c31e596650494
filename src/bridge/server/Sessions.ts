/**
 * What callers have begun and not ended: subscriptions, held cursors, taken queues. Each belongs to a caller's connection,
 * has a scope of its own, and ends with the first of the two.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { InvalidArgument } from "../../domain/errors.ts"
import { SessionUnknown } from "../contract/errors.ts"

/** What one caller may have begun at a time. */
export const sessionsMax = 256

interface Session<A> {
  readonly value: A
  readonly scope: Scope.Closeable
}

export class Sessions<A> {
  readonly #what: string
  readonly #scope: Scope.Scope
  readonly #byCaller = new Map<string, Map<number, Session<A>>>()
  #lastId = 0

  /** @param what they are, for people */
  constructor(what: string, scope: Scope.Scope) {
    this.#what = what
    this.#scope = scope
  }

  /** Begins something for a caller that is connected. */
  begin<E>(
    caller: string,
    isConnected: () => boolean,
    make: Effect.Effect<A, E, Scope.Scope>,
  ): Effect.Effect<{ readonly id: number; readonly value: A }, E | InvalidArgument> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function* () {
        const open = this.#byCaller.get(caller)?.size ?? 0
        if (open >= sessionsMax) {
          const message = `${caller} has ${open} ${this.#what} already, and may not have more`
          return yield* new InvalidArgument({ argument: "id", message })
        }
        const scope = yield* Scope.fork(this.#scope)
        const made = yield* Effect.exit(restore(Scope.provide(make, scope)))
        if (Exit.isFailure(made)) {
          yield* Scope.close(scope, made)
          return yield* Effect.failCause(made.cause)
        }
        const id = ++this.#lastId
        const sessions = this.#byCaller.get(caller) ?? new Map<number, Session<A>>()
        this.#byCaller.set(caller, sessions)
        sessions.set(id, { value: made.value, scope })
        // It left while this was being made: nobody else would end it.
        if (!isConnected()) yield* this.end(caller, id)
        return { id, value: made.value }
      }),
    )
  }

  get(caller: string, id: number): Effect.Effect<A, SessionUnknown> {
    const session = this.#byCaller.get(caller)?.get(id)
    if (session !== undefined) return Effect.succeed(session.value)
    return new SessionUnknown({ id, message: `${caller} has no ${this.#what} with the id ${id}: it has ended` })
  }

  /** Ends something, if it is there. */
  end(caller: string, id: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const sessions = this.#byCaller.get(caller)
      const session = sessions?.get(id)
      if (session === undefined) return Effect.void
      sessions!.delete(id)
      if (sessions!.size === 0) this.#byCaller.delete(caller)
      return Scope.close(session.scope, Exit.void)
    })
  }

  /** Ends all that a caller has begun. */
  left(caller: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const ids = [...(this.#byCaller.get(caller)?.keys() ?? [])]
      return Effect.forEach(ids, (id) => this.end(caller, id), { discard: true, concurrency: "unbounded" })
    })
  }
}
