/**
 * Named cursors across SIGKILL of the consumer and of the daemon.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { format } from "../../src/testing/history.ts"
import { consumers } from "./consumers.ts"

const seed = 30

describe("a consumer that is killed, and whose daemon is killed", () => {
  it.live.each([
    ["one", "sqlite", 3],
    ["chunks", "sqlite", 3],
    ["one", "lmdb", 2],
  ] as const)(
    "skips nothing, handles each log in order, and gets again only what was not committed: %s, over %s",
    ([how, storage, rounds]) =>
      Effect.gen(function* () {
        const report = yield* consumers({ storage, rounds, seed, how, killsDaemon: true })
        expect(format(report.verdict).split("\n")).toEqual([
          "0 lost, 0 duplicate, 0 gap, 0 reordered, 0 phantom, 0 divergent, 0 undone, 0 stuck",
        ])
        expect(report.lives).toBeGreaterThan(1)
        expect(report.handled).toBeGreaterThanOrEqual(report.published)
      }),
    240_000,
  )

  it.live(
    "is found out where it moves the cursor before it has handled",
    () =>
      Effect.gen(function* () {
        // A kill finds it out only where it comes in between, so there are several attempts.
        let isFound = false
        for (let attempt = 0; attempt < 6 && !isFound; attempt++) {
          const { verdict } = yield* consumers({ rounds: 3, seed: seed + attempt, how: "careless", killsDaemon: false })
          isFound = verdict.counts.gap > 0
        }
        expect(isFound).toBe(true)
      }),
    240_000,
  )
})
