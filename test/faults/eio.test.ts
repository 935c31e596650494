/**
 * I1 and I8 on a disk that fails: each of the first calls that write or sync the database's files, once and for good.
 * `npm run soak -- eio` does the same with stores in threads, and with more calls.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { type EioOutcome, runCases, sweep } from "./eioFault.ts"
import * as FsyncFault from "./fsyncFault.ts"
import { clean } from "./Ledger.ts"

const calls = 40

const check = (outcomes: ReadonlyArray<EioOutcome>): void => {
  const wrong = outcomes.filter(({ problems, verdict }) => verdict !== clean || problems.length > 0)
  expect(wrong.map((outcome) => JSON.stringify(outcome))).toEqual([])
}

describe.skipIf(FsyncFault.obstacle !== undefined)("a store whose disk fails with EIO", () => {
  it.live(
    "under load, writes no more, and has lost nothing and nothing too much when it is opened anew",
    () =>
      Effect.gen(function* () {
        const outcomes = yield* runCases(sweep(calls, { when: "load", how: "stays down" }))
        console.log(
          outcomes.filter((o) => o.hasFailed).length,
          outcomes.filter((o) => o.injected > 0).length,
          outcomes.length,
        )
        check(outcomes)
      }).pipe(Effect.scoped),
    120_000,
  )
})
