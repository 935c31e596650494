/**
 * The JSON Schema that editors and other programs read is that of the rules that are read here.
 */
import { expect, it } from "@effect/vitest"
import { schemaDrift } from "../../scripts/generate.ts"
import { expressions, patternProblem } from "../../src/access/patternProblem.ts"
import type { ObjectKind } from "../../src/access/Verb.ts"

it("the committed JSON Schema is what the rules' schema gives", () => {
  expect(schemaDrift()).toEqual([])
})

it("its expressions refuse what is refused here, as far as wildcards go", () => {
  const patterns = [
    "a",
    "a/+/b",
    "#",
    "a/#",
    "+",
    "a+",
    "a/#/b",
    "#/a",
    "a//b",
    "?",
    "a.?",
    "*",
    "a.*",
    "a*",
    "*.a",
    "a?.b",
    "stats",
  ]
  for (const kind of [
    "name",
    "mask",
    "topic",
    "filter",
    "queue",
    "operation",
  ] as const satisfies ReadonlyArray<ObjectKind>) {
    for (const pattern of patterns) {
      expect([kind, pattern, new RegExp(expressions[kind]!, "u").test(pattern)]).toEqual([
        kind,
        pattern,
        patternProblem(kind, pattern) === undefined,
      ])
    }
  }
})
