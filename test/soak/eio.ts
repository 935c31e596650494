/**
 * `npm run soak -- eio [--calls N]`: each of the first N calls that write or sync the database's files fails, once and for
 * good, in every way in which a store is used: closed and opened anew, opening itself again on the event loop and in
 * its threads, and while it is being opened.
 */
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { type EioOutcome, isClean, runCases, sweep } from "../faults/eioFault.ts"
import { showProgress } from "./progress.ts"

const summary = (outcomes: ReadonlyArray<EioOutcome>): string => {
  const sum = (count: (outcome: EioOutcome) => number) =>
    outcomes.reduce((total, outcome) => total + count(outcome), 0).toLocaleString("en")
  return [
    `${outcomes.length} cases`,
    `${sum(({ injected }) => injected)} failures injected`,
    `${sum(({ hasFailed }) => Number(hasFailed))} cases that failed in use`,
    `${sum(({ acknowledged }) => acknowledged)} acknowledged`,
    `${sum(({ unknown }) => unknown)} unknown`,
    `${sum((outcome) => Number(!isClean(outcome)))} wrong`,
  ].join(", ")
}

/** Gives whether everything was clean. */
export const run = async (args: ReadonlyArray<string>): Promise<boolean> => {
  const { values } = parseArgs({ args: [...args], options: { calls: { type: "string", default: "40" } } })
  const calls = Number(values.calls)
  if (!Number.isSafeInteger(calls) || calls < 1) throw new Error("--calls takes a whole number from 1 on")
  const cases = [
    ...sweep(calls, { when: "load", how: "stays down" }),
    ...sweep(calls, { when: "opening", how: "stays down" }),
    ...sweep(calls, { when: "load", how: "comes back" }),
    ...sweep(calls, { when: "load", how: "comes back in threads" }),
  ]
  let done = 0
  const outcomes = await Effect.runPromise(
    Effect.scoped(runCases(cases, () => showProgress(`case ${++done} of ${cases.length}`))),
  )
  showProgress("")
  const wrong = outcomes.filter((outcome) => !isClean(outcome))
  for (const outcome of wrong) console.error(JSON.stringify(outcome))
  console.log(summary(outcomes))
  return wrong.length === 0
}
