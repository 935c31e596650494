/**
 * A line in the log for clients that are turned away. A client that tries again and again makes one line in ten seconds,
 * which says how often.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

const quietMillis = 10_000

interface Told {
  readonly at: number
  /** How often since. */
  count: number
}

export interface Refusal {
  /** Refusals of one kind share their lines. */
  readonly kind: string
  /** Who was refused, and why. */
  readonly sentence: string
  readonly annotations: Readonly<Record<string, string>>
}

export type TellRefusal = (refusal: Refusal) => void

/** Gives what is to be told of every refusal. */
export const make = (services: Context.Context<never>): TellRefusal => {
  const runFork = Effect.runForkWith(services)
  const clock = Context.get(services, Clock.Clock)
  const told = new Map<string, Told>()
  return ({ annotations, kind, sentence }) => {
    const now = Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
    const before = told.get(kind)
    if (before !== undefined && now - before.at < quietMillis) {
      before.count += 1
      return
    }
    told.set(kind, { at: now, count: 0 })
    const more = before === undefined || before.count === 0 ? {} : { alsoRefused: before.count }
    runFork(Effect.annotateLogs(Effect.logWarning(sentence), { ...annotations, ...more }))
  }
}
