/**
 * A line on a terminal's stderr that says how far a long piece of work is: messages done, and the rate.
 *
 * Only where it does not mix with output: stderr is a terminal, and stdout is not one. It is drawn at most ten times a
 * second, and wiped out at the end.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface Progress {
  readonly add: (messages: number) => void
}

const redrawMillis = 100

const silent: Progress = { add: () => {} }

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

const isShown = (): boolean => process.stderr.isTTY && !process.stdout.isTTY

/** Shows progress while the scope is open. `total` is the number of messages there will be, where that is known. */
export const make = (what: string, total?: number): Effect.Effect<Progress, never, Scope.Scope> =>
  Effect.suspend(() => {
    if (!isShown()) return Effect.succeed(silent)
    const startedAt = performance.now()
    let done = 0
    let drawnAt = startedAt
    const draw = (now: number) => {
      drawnAt = now
      process.stderr.write(`\r\x1b[K${render(what, done, total, now - startedAt)}`)
    }
    const progress: Progress = {
      add: (messages) => {
        done += messages
        const now = performance.now()
        if (now - drawnAt >= redrawMillis) draw(now)
      },
    }
    return Effect.acquireRelease(Effect.succeed(progress), () =>
      Effect.sync(() => {
        process.stderr.write("\r\x1b[K")
      }),
    )
  })
