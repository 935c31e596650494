/**
 * I1, I2, I3, I4 and I8 with a store in PostgreSQL, across SIGKILL of the node, and of the server under it.
 * `npm run soak -- kills --storage postgres` does the same for as long as one likes.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { format } from "../../src/testing/history.ts"
import { skipsPostgres } from "../support/postgresServer.ts"
import { postgresKills, type Victim } from "./postgresKills.ts"

const rounds = 10
const seed = 20

describe.skipIf(skipsPostgres).each<Victim>(["node", "server"])("a %s that is killed under load", (victim) => {
  it.live(
    "loses nothing that was acknowledged, stores nothing twice, and leaves no gap",
    () =>
      Effect.gen(function* () {
        const report = yield* postgresKills(victim, { rounds, seed })
        expect(format(report.verdict).split("\n")).toEqual([
          "0 lost, 0 duplicate, 0 gap, 0 reordered, 0 phantom, 0 divergent, 0 undone, 0 stuck",
        ])
        expect(report.torn).toBe(0)
        expect(report.corruption).toEqual([])
        expect(report.ended).toEqual({ code: 0, signal: null })
        expect(report.acknowledged).toHaveLength(rounds)
        expect(Math.min(...report.acknowledged)).toBeGreaterThan(0)
        // A server is killed in the middle of a commit by chance; a node always has publishes under way.
        if (victim === "node") expect(report.unknown).toBeGreaterThan(0)
      }),
    240_000,
  )
})
