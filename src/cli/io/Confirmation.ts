/**
 * A question to the person at the terminal, before something is done that cannot be taken back. Where there is no terminal
 * there is nobody to ask.
 */
import { createInterface } from "node:readline"
import * as Effect from "effect/Effect"

export const canAsk = (): boolean => process.stdin.isTTY && process.stderr.isTTY

/** Whether the answer was yes. Anything else is no, and so is the end of the input. */
export const ask = (question: string): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const lines = createInterface({ input: process.stdin, output: process.stderr })
    let isAnswered = false
    const answer = (isYes: boolean): void => {
      if (isAnswered) return
      isAnswered = true
      lines.close()
      resume(Effect.succeed(isYes))
    }
    lines.once("close", () => answer(false))
    lines.question(`${question} [y/N] `, (text) => answer(/^y(es)?$/i.test(text.trim())))
    return Effect.sync(() => lines.close())
  })
