/** One attempt to connect, in a scope: it has its time, it can be taken back, and what it makes is ended at the end. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Connection } from "../Connection.ts"
import { DialFailed, wordsFor } from "../errors.ts"

/** How an attempt ends, once. It is taken back by what it gives. */
export type Attempt = (done: (connection: Connection) => void, fail: (error: DialFailed) => void) => () => void

export const connectDefaults = { connectWithin: "5 seconds", closeWithin: "2 seconds" } as const

/** @param name the endpoint's text */
export const failed = (name: string, reason: DialFailed["reason"], why: string): DialFailed =>
  new DialFailed({ endpoint: name, reason, message: `cannot connect to ${name}: ${why}` })

/** @param name the endpoint's text */
export const connecting = Effect.fnUntraced(function* (
  name: string,
  attempt: Attempt,
  within: Duration.Input = connectDefaults.connectWithin,
): Effect.fn.Return<Connection, DialFailed, Scope.Scope> {
  let connection: Connection | undefined
  // Whoever waits may be gone in the moment that there is a connection: it is ended all the same.
  const end = Effect.suspend(() => {
    if (connection === undefined) return Effect.void
    connection.end()
    // How it ends is told to its reader.
    return Effect.ignore(connection.closed)
  })
  yield* Effect.addFinalizer(() => end)

  const connected = Effect.callback<Connection, DialFailed>((resume) => {
    try {
      const takeBack = attempt(
        (made) => {
          connection = made
          resume(Effect.succeed(made))
        },
        (error) => resume(Effect.fail(error)),
      )
      return Effect.sync(takeBack)
    } catch (cause) {
      // A host that no URL can have, or a certificate that is none.
      return resume(Effect.fail(failed(name, "failed", wordsFor(cause))))
    }
  })
  const late = () =>
    failed(name, "timed out", `there is no connection after ${Duration.format(Duration.fromInputUnsafe(within))}`)
  const inTime = Effect.timeoutOrElse(connected, { duration: within, orElse: () => Effect.fail(late()) })
  return yield* Effect.onError(inTime, () => end)
})
