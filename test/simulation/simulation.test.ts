/**
 * Nodes that sync, in virtual time: whatever the network, the disks and the power do, in the end all have the same, and
 * every subscriber has seen all of it once, in order (I2, I4, I5).
 *
 * `SEED=123` runs and tells one simulation, `SIMULATION_SEEDS` says how many are run otherwise.
 */
import { describe, expect, it } from "vitest"
import { failureOf, tell } from "./failure.ts"
import { bugs, withBug } from "./plantedBugs.ts"
import { scenarioOf } from "./Scenario.ts"
import { simulate } from "./simulate.ts"

const seedGiven = process.env["SEED"]
const seedsMax = Number(process.env["SIMULATION_SEEDS"] ?? 5000)

const seeds = (max: number): ReadonlyArray<number> => Array.from({ length: max }, (_, i) => i + 1)

describe.runIf(seedGiven !== undefined)("one simulation", () => {
  it("comes to a good end", () => {
    const seed = Number(seedGiven)
    console.log(tell(seed))
    expect(simulate(seed).verdict.findings).toEqual([])
  })
})

describe.runIf(seedGiven === undefined)("nodes that sync", () => {
  it(`have the same in the end, whatever happens on the way (${seedsMax} seeds)`, () => {
    for (const seed of seeds(seedsMax)) {
      const failure = failureOf(seed)
      if (failure !== undefined) throw new Error(failure)
    }
  }, 600_000)

  it("do the same again with the same seed, to the last step", () => {
    const stories = seeds(40).map((seed) => tell(seed))
    expect(new Set(stories).size).toBe(40)
    expect(seeds(40).map((seed) => tell(seed))).toEqual(stories)
  })

  it("come to all that can befall them", () => {
    const scenarios = seeds(500).map(scenarioOf)
    const count = <A>(of: (scenario: (typeof scenarios)[number]) => A) => new Set(scenarios.map(of)).size
    expect({
      kinds: count(({ kind }) => kind),
      topologies: count(({ topology }) => topology),
      machines: count(({ machines }) => machines.length),
      steps: new Set(scenarios.flatMap(({ steps }) => steps.map(({ type }) => type))).size,
    }).toEqual({ kinds: 5, topologies: 5, machines: 3, steps: 7 })
  })
})

describe.runIf(seedGiven === undefined)("the simulation finds", () => {
  it.each(Object.entries(bugs))(
    "%s",
    (_, { from = 1, kinds, ...bug }) =>
      withBug(bug, (parts) => {
        const all = seeds(5000)
        const found = [...all.slice(from - 1), ...all.slice(0, from - 1)]
          .filter((seed) => kinds.includes(scenarioOf(seed).kind))
          .find((seed) => !simulate(seed, { parts }).verdict.isClean)
        expect(found).toBeDefined()
      }),
    300_000,
  )
})
