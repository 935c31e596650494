/**
 * A connection that is made again whenever it is lost.
 *
 * What is done with a connection is a *session*, begun anew for each: it makes the protocol's handshake, brings back
 * what the peer has to know (subscriptions, say), and lasts as long as the connection. Between two sessions there is
 * a wait by a schedule, which begins from its start once a session was established.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Connection } from "./Connection.ts"
import { ConnectionLost, type DialFailed } from "./errors.ts"

/** What happens to a connection that is kept. */
export type ReconnectEvent =
  /** A session is established, after so many attempts that failed. */
  | { readonly _tag: "Connected"; readonly attempts: number }
  /** An established session is over. */
  | { readonly _tag: "Lost"; readonly reason: string }
  | {
      readonly _tag: "Retrying"
      readonly attempt: number
      readonly delayMillis: number
      readonly reason: string
    }

/** 50 ms, twice as long each time up to 2 s, a fifth more or less; for ever. */
export const defaultSchedule: Schedule.Schedule<unknown> = Schedule.jittered(
  Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")]),
)

export interface ReconnectOptions<E> {
  readonly schedule?: Schedule.Schedule<unknown, E | DialFailed | ConnectionLost> | undefined
  /**
   * Whether to try again after a failure; by default after every one. `wasEstablished` tells whether any session was
   * until now: who has never been connected may want to know at once.
   */
  readonly retries?: ((failure: E | DialFailed | ConnectionLost, wasEstablished: boolean) => boolean) | undefined
  readonly onEvent?: ((event: ReconnectEvent) => Effect.Effect<void>) | undefined
  /**
   * How long a session has to last for the schedule to begin anew after it; by default any does. Peers that throw each
   * other out would do so for ever, and ever so quickly.
   */
  readonly steadyFor?: Duration.Input | undefined
}

/** The peer has ended a session in order: there is to be another one. */
const endedByPeer = () => new ConnectionLost({ reason: "broken", message: "the peer has closed the connection" })

/**
 * Keeps a connection: dials, runs a session, and again when the session is over, until a failure after
 * which it does not try again, or the end of the schedule; then it fails with the last failure.
 *
 * @param dial how a connection is made, wherever that is
 * @param session what is done with one connection, in a scope of its own that is closed before the next is dialed. It
 *   runs `established` when its handshake is done. It is interrupted when the connection is closed; when it is done by
 *   itself, so is everything.
 */
export const reconnecting = <E, R>(
  dial: Effect.Effect<Connection, DialFailed, Scope.Scope>,
  session: (connection: Connection, established: Effect.Effect<void>) => Effect.Effect<void, E, R>,
  options: ReconnectOptions<E> = {},
): Effect.Effect<void, E | DialFailed | ConnectionLost, Exclude<R, Scope.Scope>> =>
  Effect.gen(function* () {
    const { onEvent = () => Effect.void, retries = () => true, schedule = defaultSchedule } = options
    const clock = yield* Clock.Clock
    const begin = Schedule.toStep(schedule)
    const steadyMillis = Duration.toMillis(options.steadyFor ?? 0)
    let step = yield* begin
    let attempts = 0
    let isEstablished = false
    let wasEstablished = false
    let establishedAt = 0

    const established = Effect.suspend(() => {
      if (isEstablished) return Effect.void
      isEstablished = true
      wasEstablished = true
      establishedAt = clock.currentTimeMillisUnsafe()
      return onEvent({ _tag: "Connected", attempts })
    })
    const one = Effect.gen(function* () {
      const connection = yield* dial
      const over = Effect.andThen(
        connection.closed,
        Effect.suspend(() => Effect.fail(endedByPeer())),
      )
      return yield* Effect.raceFirst(session(connection, established), over)
    }).pipe(Effect.scoped)

    while (true) {
      isEstablished = false
      const exit = yield* Effect.exit(one)
      if (Exit.isSuccess(exit)) return
      const error = Cause.findErrorOption(exit.cause)
      if (Option.isNone(error)) return yield* exit
      const failure = error.value
      const reason = reasonOf(failure)
      if (isEstablished) {
        attempts = 0
        if (clock.currentTimeMillisUnsafe() - establishedAt >= steadyMillis) step = yield* begin
        yield* onEvent({ _tag: "Lost", reason })
      }
      if (!retries(failure, wasEstablished)) return yield* exit
      attempts += 1
      const delay = yield* Pull.matchEffect(step(clock.currentTimeMillisUnsafe(), failure), {
        onSuccess: ([, delay]) => Effect.succeed(delay),
        onFailure: (cause) => Effect.failCause(cause),
        onDone: () => Effect.failCause(exit.cause),
      })
      yield* onEvent({
        _tag: "Retrying",
        attempt: attempts,
        delayMillis: Duration.toMillis(delay),
        reason,
      })
      yield* Effect.sleep(delay)
    }
  })

const reasonOf = (failure: unknown): string => (Predicate.isError(failure) ? failure.message : String(failure))
