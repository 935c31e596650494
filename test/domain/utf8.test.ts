import * as fc from "fast-check"
import { expect, it } from "vitest"
import { byteLength } from "../../src/domain/utf8.ts"

it("a text is as long in UTF-8 as Node says, with halves of surrogate pairs too", () => {
  const units = fc.constantFrom(
    "a",
    "\x7f",
    "\x80",
    "\u07ff",
    "\u0800",
    "\ud7ff",
    "\ud800",
    "\udbff",
    "\udc00",
    "\udfff",
  )
  const text = fc.oneof(
    fc.array(units).map((all) => all.join("")),
    fc.string({ unit: "binary" }),
  )
  fc.assert(
    fc.property(text, (one) => byteLength(one) === Buffer.byteLength(one)),
    { numRuns: 1000 },
  )
  expect(byteLength("")).toBe(0)
})
