/** The guide to access rules shows rules that can be used, and says of them what is so. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as AccessRules from "../../src/access/AccessRules.ts"
import * as Permissions from "../../src/access/Permissions.ts"
import { hashOf } from "../../src/access/tokens.ts"
import { type Verb, verbNames } from "../../src/access/Verb.ts"
import { blocksOf } from "../house/markdown.ts"
import { root } from "../house/project.ts"

const guide = readFileSync(join(root, "docs/guides/access-rules.md"), "utf8")
const file = readFileSync(join(root, "docs/examples/access.json"), "utf8")
const { principals } = Result.getOrThrow(AccessRules.parse(file))

it("the rules that it shows are those of the example, which can be used", () => {
  expect(blocksOf(guide).find(({ language }) => language === "json")?.text).toBe(file)
  expect(principals["billing"]?.tokens).toEqual([hashOf("correct-horse")])
})

it("what it says of them is so", () => {
  const rows = [...guide.matchAll(/^\| `([^`]+)` *\| `(\w+)` *\| `([^`]+)` *\| (allowed|denied) *\|$/gm)]
  expect(rows.length).toBeGreaterThan(10)
  for (const [row, who, verb, object, answer] of rows) {
    const { networks: _, tokens: __, ...allowances } = principals[who!]!
    const isAllowed = Permissions.make(who!, allowances).allows(verb as Verb, object!)
    expect([row, isAllowed ? "allowed" : "denied"]).toEqual([row, answer])
  }
})

it("it names every verb", () => {
  for (const verb of verbNames) expect(guide).toMatch(new RegExp(`^\\| \`${verb}\` `, "m"))
})
