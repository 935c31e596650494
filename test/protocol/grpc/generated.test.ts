/**
 * The committed code is what the definitions in `proto/` give, and they keep the rules of `buf lint`.
 */
import { expect, it } from "@effect/vitest"
import { drift, lint } from "../../../scripts/generate.ts"

it("the definitions pass buf lint", () => lint())

it("the generated code is what the definitions give", { timeout: 30_000 }, () => {
  expect(drift()).toEqual([])
})
