/**
 * The law of the routing core: whatever is done, it answers, delivers, counts and closes as the model does, and nothing
 * is left in it when everybody has gone.
 */
import { expect } from "@effect/vitest"
import * as fc from "fast-check"
import { RoutingCore } from "../../../src/exchange/RoutingCore.ts"
import { type Program, programs } from "./commands.ts"
import { CoreSide } from "./CoreSide.ts"
import { ModelSide } from "./ModelSide.ts"

export const runProgram = (program: Program, Core: typeof RoutingCore): void => {
  const actual = new CoreSide(program, new Core(program.settings))
  const model = new ModelSide(program, actual.gone)
  let told = 0
  for (const command of program.commands) {
    actual.run(command)
    model.run(command)
    same(actual.state(), model.state())
    same(actual.log.slice(told), model.log.slice(told))
    told = model.log.length
  }
  actual.core.close()
  actual.core.waitForCrowded(() => {})
  expect(actual.core.isEmpty).toBe(true)
}

/** Much faster than `expect` where all is well, as it mostly is. */
const same = (actual: unknown, expected: unknown): void => {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) expect(actual).toEqual(expected)
}

/** Runs random programs; throws with the smallest that breaks the law. */
export const checkRouting = (numRuns: number, Core = RoutingCore, options: fc.Parameters<[Program]> = {}): void =>
  fc.assert(
    fc.property(programs, (program) => runProgram(program, Core)),
    { numRuns, ...options },
  )
