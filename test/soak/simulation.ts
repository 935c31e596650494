/**
 * `npm run soak -- simulation [SEEDS] [--from SEED]`: as many simulations of nodes that sync as one likes, by default
 * 100,000. Says how many have been run, and tells the whole story of one that goes wrong.
 */
import { parseArgs } from "node:util"
import { failureOf } from "../simulation/failure.ts"
import { showProgress } from "./progress.ts"

const wholeNumber = (name: string, text: string): number => {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name} is a whole number from 1 on`)
  return value
}

/** Gives whether all of them came to a good end. */
export const run = async (args: ReadonlyArray<string>): Promise<boolean> => {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { from: { type: "string", default: "1" } },
  })
  const [count = "100000", ...more] = positionals
  if (more.length > 0) throw new Error("say how many seeds, and nothing else")
  const first = wholeNumber("--from", values.from)
  const seeds = wholeNumber("the number of seeds", count)
  const began = performance.now()
  const failed: Array<number> = []
  for (let done = 0; done < seeds; done++) {
    if (done % 100 === 0) showProgress(`${done} of ${seeds} simulations, ${failed.length} failed`)
    const failure = failureOf(first + done)
    if (failure === undefined) continue
    failed.push(first + done)
    // One story is enough to begin with.
    if (failed.length === 1) console.error(failure)
  }
  showProgress("")
  const seconds = Math.round((performance.now() - began) / 1000)
  const which = failed.length === 0 ? "" : `: ${failed.slice(0, 20).join(", ")}`
  console.log(
    `seeds ${first} to ${first + seeds - 1}: ${seeds} simulations in ${seconds} s, ${failed.length} failed${which}`,
  )
  return failed.length === 0
}
