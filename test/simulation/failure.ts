/** A simulation that went wrong, for people: what was wrong, how to see it again, and all that happened. */
import { format } from "../../src/testing/history.ts"
import { simulate, type SimulationOptions } from "./simulate.ts"

/** All that happens with a seed, and what comes of it. */
export const tell = (seed: number, options: SimulationOptions = {}): string => {
  const lines: Array<string> = []
  const { scenario, verdict } = simulate(seed, { ...options, trace: (line) => lines.push(line) })
  const { kind, links, machines, topology } = scenario
  const asks = links.map(({ from, tells, to }) => `m${from}${tells ? " is told by" : " asks"} m${to}`)
  return [
    `seed ${seed}: ${kind}, ${topology} of ${machines.map((node, i) => `m${i} (${node})`).join(", ")}; ${asks.join(", ")}`,
    ...lines,
    format(verdict),
  ].join("\n")
}

/** Undefined where all is well. */
export const failureOf = (seed: number, options: SimulationOptions = {}): string | undefined => {
  const { verdict } = simulate(seed, options)
  if (verdict.isClean) return undefined
  return `see it again with: SEED=${seed} npx vitest run test/simulation\n${tell(seed, options)}`
}
