/**
 * How a node is present in a database: it holds the lock of its identity on a line of its own, hears over it what other
 * nodes write, and looks from time to time, for what is told may be lost.
 *
 *     held ──── lost ────▶ connect again, and take the lock ──▶ listen ──▶ look ──▶ held
 *                            │ taken by somebody who is the node now: fenced, and nothing more is written
 *
 * Losing the line is no harm by itself: what a process may write is decided by its epoch, not by the lock.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import type { Dialect } from "../sql/Dialect.ts"
import type { Session } from "../sql/Session.ts"
import type { Line, OpenLine } from "./Line.ts"

export interface Identity {
  readonly lockClass: number
  /** The node's number. */
  readonly number: number
}

/** A line on which the node's lock is held. */
export interface HeldLine {
  readonly line: Line
  readonly session: Session
  /** When the server was started. */
  readonly serverSince: unknown
  readonly scope: Scope.Closeable
}

const take = "SELECT pg_try_advisory_lock(?, ?), pg_postmaster_start_time()::text"

/** Opens a line and takes the node's lock on it; gives nothing where somebody else has it. */
export const takeLine = (
  openLine: OpenLine,
  dialect: Dialect,
  { lockClass, number }: Identity,
): Effect.Effect<HeldLine | undefined, SqlError> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const close = Scope.close(scope, Exit.void)
    return yield* Effect.gen(function* () {
      const line = yield* Scope.provide(openLine, scope)
      const session = line.session(dialect)
      const [row] = yield* session.values(take, [lockClass, number])
      if (row![0] === true) return { line, session, serverSince: row![1], scope }
      yield* close
      return undefined
    }).pipe(Effect.onError(() => close))
  })

export interface PresenceOptions {
  readonly openLine: OpenLine
  readonly dialect: Dialect
  readonly identity: Identity
  readonly epoch: number
  readonly channel: string
  readonly pollInterval: Duration.Duration
  /** It has looked where the journal ends. */
  readonly onLook: (end: number) => void
  /** Looks at what else is to be looked at. */
  readonly alsoLook: (session: Session) => Effect.Effect<void, SqlError>
  /** What another node has told. */
  readonly onTold: (told: string) => void
  /** Another process is the node now. */
  readonly onFenced: () => void
  /** The server was started again: what is known of it may not be so any more. */
  readonly onRestarted: () => void
}

/** How long an answer may take until the line counts as lost. */
const answerMillisMax = 5000
/** Before the second attempt to connect again; twice as long before each that follows, up to the polling interval. */
const delayMillisMin = 20

const selectLook = "SELECT last_position, (SELECT epoch FROM millrace_nodes WHERE node = ?) FROM millrace_journal"
const selectEpoch = "SELECT epoch FROM millrace_nodes WHERE node = ?"

const noAnswer = new SqlError({
  reason: new ConnectionError({ cause: new Error("no answer"), message: "no answer", operation: "look" }),
})

const inTime = <A>(effect: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
  Effect.timeoutOrElse(effect, { duration: answerMillisMax, orElse: () => Effect.fail(noAnswer) })

/** Stays present until the scope closes. */
export const stay = (
  first: HeldLine,
  options: PresenceOptions,
): Effect.Effect<{ readonly look: Effect.Effect<void> }, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { channel, dialect, epoch, identity, openLine, pollInterval } = options
    let held: HeldLine | undefined = first
    yield* Effect.addFinalizer(() => (held === undefined ? Effect.void : Scope.close(held.scope, Exit.void)))

    const look = ({ session }: HeldLine): Effect.Effect<void, SqlError> =>
      Effect.gen(function* () {
        const [row] = yield* inTime(session.values(selectLook, [identity.number]))
        const [end, found] = row as readonly [number, number]
        if (found !== epoch) return options.onFenced()
        yield* inTime(options.alsoLook(session))
        options.onLook(end)
      })

    const hear = (told: Effect.Effect<ReadonlyArray<string>, SqlError>): Effect.Effect<never, SqlError> =>
      Effect.forever(
        Effect.map(told, (all) => {
          for (const one of all) options.onTold(one)
        }),
      )

    /** Fails when the line is lost. */
    const present = (line: HeldLine): Effect.Effect<never, SqlError> =>
      Effect.gen(function* () {
        // What is told from here on is heard; what was told before is seen at the first look.
        const told = yield* line.line.listen?.(channel) ?? Effect.succeed(Effect.never)
        const looking = Effect.forever(Effect.andThen(look(line), Effect.sleep(pollInterval)))
        return yield* Effect.raceFirst(hear(told), looking)
      }).pipe(Scope.provide(line.scope))

    /** Whether somebody else is the node now: nobody else has its lock for any other reason for long. */
    const isReplaced = (session: Session): Effect.Effect<boolean, SqlError> =>
      Effect.map(session.values(selectEpoch, [identity.number]), ([row]) => row?.[0] !== epoch)

    const takeAgain: Effect.Effect<HeldLine | "fenced" | undefined, SqlError> = Effect.gen(function* () {
      const again = yield* takeLine(openLine, dialect, identity)
      if (again !== undefined) {
        if (!(yield* Effect.onError(isReplaced(again.session), () => Scope.close(again.scope, Exit.void)))) return again
        yield* Scope.close(again.scope, Exit.void)
        return "fenced"
      }
      const replaced = yield* Effect.scoped(Effect.flatMap(openLine, (line) => isReplaced(line.session(dialect))))
      return replaced ? "fenced" : undefined
    })

    const back: Effect.Effect<HeldLine | "fenced"> = Effect.gen(function* () {
      const longest = Duration.toMillis(pollInterval)
      for (let delay = delayMillisMin; ; delay = Math.min(2 * delay, longest)) {
        const attempt = yield* Effect.result(takeAgain)
        if (Result.isSuccess(attempt) && attempt.success !== undefined) return attempt.success
        yield* Effect.sleep(delay)
      }
    })

    yield* Effect.gen(function* () {
      while (true) {
        yield* Effect.exit(present(held!))
        const { scope, serverSince } = held!
        held = undefined
        yield* Scope.close(scope, Exit.void)
        const again = yield* back
        if (again === "fenced") return options.onFenced()
        held = again
        if (again.serverSince !== serverSince) options.onRestarted()
      }
    }).pipe(Effect.forkScoped)

    return {
      look: Effect.suspend(() => (held === undefined ? Effect.void : Effect.ignore(look(held)))),
    }
  })
