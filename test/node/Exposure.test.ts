import { expect, it } from "vitest"
import { exposureProblem } from "../../src/node/Exposure.ts"

const listener = { written: "--busrt tcp:0.0.0.0:7777", isExposed: true, hasTls: true, knowsClients: true }

it.each([
  [{}, undefined],
  [{ isExposed: false, hasTls: false, knowsClients: false }, undefined],
  [{ hasTls: false }, "has no TLS"],
  [{ hasTls: false, knowsClients: false }, "has no TLS"],
  [{ knowsClients: false }, "by everybody"],
])("a listener that others can reach has TLS, and knows its clients: %j", (change, problem) => {
  const found = exposureProblem({ ...listener, ...change })
  if (problem === undefined) expect(found).toBeUndefined()
  else expect(found).toContain(problem)
})
