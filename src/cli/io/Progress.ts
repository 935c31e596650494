/**
 * A line on a terminal's stderr that says how far a long piece of work is: messages done, and the rate.
 *
 * Only where it does not mix with output: stderr is a terminal, and stdout is not one. It is drawn at most ten times a
 * second, and wiped out at the end.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Output from "./Output.ts"

export interface Progress {
  readonly add: (messages: number) => void
  /** So many are done of so many, where the total is known bit by bit. */
  readonly show: (done: number, total: number) => void
  /** Tells the person at the terminal something, on a line of its own. */
  readonly tell: (sentence: string) => Effect.Effect<void>
}

const redrawMillis = 100

/** Takes back what is on the line. */
const wiped = "\r\x1b[K"

const silent: Progress = { add: () => {}, show: () => {}, tell: Output.tell }

/** How the line reads after `done` messages in `millis`; `total` where it is known. */
export const render = (what: string, done: number, total: number | undefined, millis: number): string => {
  const rate = millis === 0 ? 0 : Math.round((done * 1000) / millis)
  const count = done.toLocaleString("en")
  const tail = `${rate.toLocaleString("en")}/s`
  if (total === undefined || total === 0) return `${what} ${count} · ${tail}`
  const width = 24
  const filled = Math.min(width, Math.floor((done / total) * width))
  const percent = Math.min(100, Math.floor((done / total) * 100))
  return `${what} [${"█".repeat(filled)}${"░".repeat(width - filled)}] ${percent}% · ${count} of ${total.toLocaleString("en")} · ${tail}`
}

/** Whether there is a terminal for it. */
export const hasTerminal = (): boolean => process.stderr.isTTY

export interface ProgressOptions {
  /** The number of messages there will be, where that is known. */
  readonly total?: number | undefined
  /** Nothing is printed while it is shown, so it mixes with nothing on a terminal. */
  readonly isAlone?: boolean | undefined
}

/** Shows progress while the scope is open. */
export const make = (
  what: string,
  { isAlone = false, total: known }: ProgressOptions = {},
): Effect.Effect<Progress, never, Scope.Scope> =>
  Effect.suspend(() => {
    if (!hasTerminal() || (process.stdout.isTTY && !isAlone)) return Effect.succeed(silent)
    const startedAt = performance.now()
    let done = 0
    let total = known
    let drawnAt = startedAt
    const draw = (now: number) => {
      drawnAt = now
      process.stderr.write(`${wiped}${render(what, done, total, now - startedAt)}`)
    }
    const drawInTime = () => {
      const now = performance.now()
      if (now - drawnAt >= redrawMillis) draw(now)
    }
    const progress: Progress = {
      add: (messages) => {
        done += messages
        drawInTime()
      },
      show: (nowDone, nowTotal) => {
        done = nowDone
        total = nowTotal
        drawInTime()
      },
      tell: (sentence) => Output.tell(`${wiped}${sentence}`),
    }
    return Effect.acquireRelease(Effect.succeed(progress), () =>
      Effect.sync(() => {
        process.stderr.write(wiped)
      }),
    )
  })
