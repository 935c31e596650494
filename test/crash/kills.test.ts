/**
 * I1, I2, I3, I4 and I8 across SIGKILL. `npm run soak -- kills` does the same for as long as one likes.
 */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Option } from "effect"
import { format } from "../../src/testing/history.ts"
import { kills } from "./kills.ts"
import { pathTo } from "./Program.ts"

const seed = 20

describe("a daemon that is killed under load", () => {
  it.live.each([
    ["sqlite", 20],
    ["lmdb", 10],
  ] as const)(
    "loses nothing that it acknowledged, stores nothing twice, and leaves no gap: %s",
    ([storage, rounds]) =>
      Effect.gen(function* () {
        const report = yield* kills({ storage, rounds, seed })
        expect(format(report.verdict).split("\n")).toEqual([
          "0 lost, 0 duplicate, 0 gap, 0 reordered, 0 phantom, 0 divergent, 0 undone, 0 stuck",
        ])
        expect(report.torn).toBe(0)
        expect(report.corruption).toEqual([])
        expect(report.ended).toEqual({ code: 0, signal: null })
        // It was under load each time, also at the moment of the kill.
        expect(report.acknowledged).toHaveLength(rounds)
        expect(Math.min(...report.acknowledged)).toBeGreaterThan(0)
        expect(report.unknown).toBeGreaterThan(0)
      }),
    240_000,
  )

  it.live(
    "is found out where it acknowledges before it commits",
    () =>
      Effect.gen(function* () {
        const script = pathTo(import.meta.url, "./plantedDaemon.ts")
        // A kill finds it out only where a write was owed at that moment, so there are several attempts.
        let isFound = false
        for (let attempt = 0; attempt < 6 && !isFound; attempt++) {
          const exit = yield* Effect.exit(
            Effect.timeoutOption(kills({ rounds: 6, seed: seed + attempt, script }), "30 seconds"),
          )
          // Either acknowledged messages are missing in the end, or a subscriber that saw one comes back to a store
          // that never had it, and is told so.
          isFound = Exit.isSuccess(exit)
            ? Option.exists(exit.value, (report) => report.verdict.counts.lost > 0)
            : Cause.pretty(exit.cause).includes("is beyond the end of this store")
        }
        expect(isFound).toBe(true)
      }),
    200_000,
  )
})
