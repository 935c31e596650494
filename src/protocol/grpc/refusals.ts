/**
 * A line in the log for clients that are turned away: because there is no room, or because they may not. A client that
 * tries again and again makes one line in ten seconds, which says how often.
 */
import { status } from "@grpc/grpc-js"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

const refusals: ReadonlySet<status> = new Set([
  status.RESOURCE_EXHAUSTED,
  status.PERMISSION_DENIED,
  status.UNAUTHENTICATED,
])

const quietMillis = 10_000

interface Told {
  readonly at: number
  /** How often since. */
  count: number
}

export interface EndedCall {
  readonly path: string
  readonly code: status
  readonly details: string
  /** Address of the client. */
  readonly peer: string
}

/** Gives what is to be told of every call that has ended. */
export const make = (services: Context.Context<never>) => {
  const runFork = Effect.runForkWith(services)
  const clock = Context.get(services, Clock.Clock)
  const told = new Map<string, Told>()
  return ({ code, details, path, peer }: EndedCall): void => {
    if (!refusals.has(code)) return
    const key = `${path} ${code}`
    const now = clock.currentTimeMillisUnsafe()
    const before = told.get(key)
    if (before !== undefined && now - before.at < quietMillis) {
      before.count += 1
      return
    }
    told.set(key, { at: now, count: 0 })
    const line = Effect.annotateLogs(Effect.logWarning(`a client was refused: ${details}`), {
      method: path.slice(1),
      code: status[code],
      peer,
      ...(before === undefined || before.count === 0 ? {} : { alsoRefused: before.count }),
    })
    runFork(line)
  }
}
