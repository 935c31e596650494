/**
 * Keeps a client connected: connects, registers its name, and does both again whenever the connection is lost, until the
 * scope closes or the server says no for good.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { Unavailable } from "../../../domain/errors.ts"
import type { ConnectError } from "../../../exchange/index.ts"
import type { Connection } from "../../../transport/Connection.ts"
import type { ConnectionLost, DialFailed } from "../../../transport/errors.ts"
import { type ReconnectEvent, reconnecting } from "../../../transport/reconnecting.ts"
import type { Link } from "./Link.ts"
import { register } from "./registering.ts"
import type { ClientSettings } from "./settings.ts"

/** How a connection to the server is made, wherever that is. */
export type Dial = Effect.Effect<Connection, DialFailed, Scope.Scope>

/** Who wants to hear of the connection. */
export interface Keeper {
  /** It is not connected again: with the server's reason. Told once. */
  readonly onEnd: (error: ConnectError) => void
  /** Whether to connect again. */
  readonly isWanted: () => boolean
  readonly onEvent: ((event: ReconnectEvent) => Effect.Effect<void>) | undefined
}

type Failure = ConnectError | DialFailed | ConnectionLost

/** Those to whom a server says no for good. Others may be taken the next time: an old connection still has the name. */
const isFinal = (error: Failure): boolean => error._tag === "AccessDenied" || error._tag === "InvalidArgument"

const inOurTerms = (error: Failure): ConnectError =>
  error._tag === "DialFailed" || error._tag === "ConnectionLost" ? new Unavailable({ message: error.message }) : error

const wantsTls = (scheme: string): string =>
  `the server does not answer, like one that wants TLS: its URL begins with ${scheme} then`

/** What is likely where the server waits for us as we do for it. */
const noAnswer: Partial<Record<Connection["kind"], string>> = { tcp: wantsTls("tls:"), ws: wantsTls("wss://") }

/** Succeeds when it is connected for the first time. */
export const keepConnected = Effect.fnUntraced(function* (
  dial: Dial,
  name: string,
  settings: ClientSettings,
  link: Link,
  { isWanted, onEnd, onEvent }: Keeper,
): Effect.fn.Return<void, ConnectError, Scope.Scope> {
  const first = yield* Deferred.make<void, ConnectError>()
  const session = (connection: Connection, established: Effect.Effect<void>) =>
    register(connection, name, {
      begin: (rest) => link.connected(connection, rest),
      onChunk: (chunk) => link.onChunk(chunk),
      onDrain: () => link.onDrain(),
      onClose: () => link.disconnected(),
    }).pipe(
      Effect.timeoutOrElse({
        duration: settings.handshakeMillis,
        orElse: () =>
          Effect.fail(new Unavailable({ message: noAnswer[connection.kind] ?? "the server does not answer" })),
      }),
      Effect.andThen(established),
      Effect.andThen(Deferred.succeed(first, undefined)),
      // It is over when the connection is.
      Effect.andThen(Effect.never),
    )
  const keeping = reconnecting(dial, session, {
    schedule: Schedule.min([
      Schedule.exponential(settings.reconnectMillis),
      Schedule.spaced(settings.reconnectMillisMax),
    ]).pipe(Schedule.jittered),
    // Where names are taken by force, two clients of one name throw each other out.
    steadyFor: "1 second",
    onEvent,
    retries: (error, wasEstablished) => wasEstablished && isWanted() && !isFinal(error),
  })
  yield* keeping.pipe(
    Effect.catch((error) =>
      Effect.sync(() => {
        const reason = inOurTerms(error)
        const isFirst = Deferred.doneUnsafe(first, Effect.fail(reason))
        if (!isFirst && isWanted()) onEnd(reason)
      }),
    ),
    Effect.forkScoped,
  )
  yield* Deferred.await(first)
  yield* Effect.acquireRelease(
    Effect.sync(() => setInterval(() => link.tick(), settings.pingMillis)),
    (timer) => Effect.sync(() => clearInterval(timer)),
  )
})
