/**
 * The connection to a peer, whatever is spoken over it: an attempt to make it is over in about a second, and what is asked
 * over it fails as soon as somebody has noticed that it is dead.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { InvalidArgument } from "../../../domain/errors.ts"
import { PeerUnreachable } from "../../../replication/index.ts"
import type { Current, TlsDialOptions } from "../../../transport/tls.ts"
import * as Connection from "../client/connection.ts"
import * as Reach from "../client/reach.ts"

/** Bytes that may be on their way before the peer waits: about what a fetch gives. */
const windowBytes = 4 * 1024 * 1024

export interface PeerOptions {
  /** `grpc://HOST:PORT`, or `http://HOST:PORT`; with TLS `grpcs://` or `https://`. */
  readonly url: string
  /** How long a question may take, in milliseconds; by default 10 seconds. */
  readonly timeoutMillis?: number | undefined
  /** The largest answer that is taken, in bytes; by default 16 MiB. */
  readonly receiveBytesMax?: number | undefined
  readonly token?: Redacted.Redacted | undefined
  /** For TLS; without it those are trusted that Node trusts. */
  readonly tls?: Current<TlsDialOptions> | undefined
}

/** How long a connection may take to be ready for calls where TCP takes no time, and how many times as long as that. */
const readyMillis = 600
const readyFactor = 6

/** How long a peer may take to say who it is. */
export const identityMillis = 3000

/** Why there was no answer, to whoever looks after the node. */
export const unreachable = ({ message }: { readonly message: string }): PeerUnreachable =>
  new PeerUnreachable({ message })

export interface PeerConnection {
  readonly connection: Connection.Connection
  /** Asks something, once there is a connection. */
  readonly asking: <A, E>(question: Effect.Effect<A, E>) => Effect.Effect<A, E | PeerUnreachable>
  /** Gives a dead connection up: all that is being asked over it fails with the reason. */
  readonly abandon: (reason: string) => Effect.Effect<void>
  /** Fails when the connection that is there now is given up, for whatever reason. */
  readonly lost: Effect.Effect<never, PeerUnreachable>
}

/** @param onLost told of each connection that is given up */
export const make = Effect.fnUntraced(function* (
  { receiveBytesMax = 16 * 1024 * 1024, timeoutMillis = 10_000, tls, token, url }: PeerOptions,
  onLost: () => void,
): Effect.fn.Return<PeerConnection, InvalidArgument, Scope.Scope> {
  let dead = Deferred.makeUnsafe<never, PeerUnreachable>()
  let lost = Deferred.makeUnsafe<never, PeerUnreachable>()

  const connection = yield* Connection.make({
    url,
    timeoutMillis,
    receiveBytesMax,
    tls,
    token,
    windowBytes,
    isOnlyAsked: true,
    onGivenUp: () => {
      const before = lost
      lost = Deferred.makeUnsafe()
      Deferred.doneUnsafe(before, Effect.fail(unreachable({ message: `the connection to ${url} was lost` })))
      onLost()
    },
  })
  const noAnswer = (reason: string) => unreachable({ message: `no node answers at ${url}: ${reason}` })
  const reach = yield* Reach.make(connection.address)
  const connected: Effect.Effect<void, PeerUnreachable> = Effect.gen(function* () {
    const millis = Math.max(readyMillis, readyFactor * (yield* Effect.mapError(reach, noAnswer)))
    if (yield* connection.connect(millis)) return
    return yield* noAnswer(`it is not ready for calls after ${Math.round(millis)} ms`)
  })

  return {
    connection,
    asking: (question) =>
      Effect.suspend(() =>
        Effect.andThen(
          connection.isConnected() ? Effect.void : connected,
          Effect.raceFirst(question, Deferred.await(dead)),
        ),
      ),
    abandon: (reason) =>
      Effect.sync(() => {
        const before = dead
        dead = Deferred.makeUnsafe()
        Deferred.doneUnsafe(before, Effect.fail(unreachable({ message: reason })))
        connection.giveUp()
      }),
    lost: Effect.suspend(() => Deferred.await(lost)),
  }
})
