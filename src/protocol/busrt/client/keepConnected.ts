/**
 * Keeps a client connected: connects, registers its name, and does both again whenever the connection is lost, until the
 * scope closes or the server says no for good.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { Unavailable } from "../../../domain/errors.ts"
import type { ConnectError } from "../../../exchange/index.ts"
import type { Connection } from "../../../transport/Connection.ts"
import type { DialFailed } from "../../../transport/errors.ts"
import type { Link } from "./Link.ts"
import { register } from "./registering.ts"
import type { ClientSettings } from "./settings.ts"

/** How a connection to the server is made, wherever that is. */
export type Dial = Effect.Effect<Connection, DialFailed, Scope.Scope>

/** Those to whom a server says no for good. Others may be taken the next time: an old connection still has the name. */
const isFinal = (error: ConnectError): boolean => error._tag === "AccessDenied" || error._tag === "InvalidArgument"

/** Once, the moment that something is over. */
class Moment {
  #isPast = false
  #resume: (() => void) | undefined

  readonly come = (): void => {
    this.#isPast = true
    this.#resume?.()
  }

  readonly whenPast = Effect.callback<void>((resume) => {
    if (this.#isPast) resume(Effect.void)
    else this.#resume = () => resume(Effect.void)
  })
}

interface Connected {
  readonly scope: Scope.Closeable
  readonly lost: Moment
}

/** Connects once. What it gives is to be closed after it was lost. */
const connect = (
  dial: Dial,
  name: string,
  settings: ClientSettings,
  link: Link,
): Effect.Effect<Connected, ConnectError> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const lost = new Moment()
    const connecting = Effect.gen(function* () {
      const connection = yield* Scope.provide(dial, scope).pipe(
        Effect.mapError(({ message }) => new Unavailable({ message })),
      )
      yield* register(connection, name, {
        begin: (rest) => link.connected(connection, rest),
        onChunk: (chunk) => link.onChunk(chunk),
        onDrain: () => link.onDrain(),
        onClose: () => {
          link.disconnected()
          lost.come()
        },
      }).pipe(
        Effect.timeoutOrElse({
          duration: settings.handshakeMillis,
          orElse: () => Effect.fail(new Unavailable({ message: "the server does not answer" })),
        }),
      )
      return { scope, lost }
    })
    return yield* Effect.onExit(connecting, (exit) => (Exit.isSuccess(exit) ? Effect.void : Scope.close(scope, exit)))
  })

/**
 * Succeeds when it is connected for the first time. `onEnd` is told, once, when it does not connect again: with the
 * server's reason. It is not connected again when it is not wanted any more.
 */
export const keepConnected = Effect.fnUntraced(function* (
  dial: Dial,
  name: string,
  settings: ClientSettings,
  link: Link,
  onEnd: (error: ConnectError) => void,
  isWanted: () => boolean,
): Effect.fn.Return<void, ConnectError, Scope.Scope> {
  const once = connect(dial, name, settings, link)
  const backoff = Schedule.min([
    Schedule.exponential(settings.reconnectMillis),
    Schedule.spaced(settings.reconnectMillisMax),
  ]).pipe(Schedule.jittered)
  let current = yield* once
  yield* Effect.addFinalizer(() => Effect.suspend(() => Scope.close(current.scope, Exit.void)))
  const keeping = Effect.gen(function* () {
    while (true) {
      yield* current.lost.whenPast
      yield* Scope.close(current.scope, Exit.void)
      if (!isWanted()) return
      current = yield* Effect.retry(once, { schedule: backoff, while: (error) => !isFinal(error) })
    }
  })
  yield* Effect.forkScoped(Effect.catch(keeping, (error) => Effect.sync(() => onEnd(error))))
  yield* Effect.acquireRelease(
    Effect.sync(() => setInterval(() => link.tick(), settings.pingMillis)),
    (timer) => Effect.sync(() => clearInterval(timer)),
  )
})
