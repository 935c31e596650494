/**
 * What access rules mean, said naively: patterns are matched part by part, and what lies within a pattern is found by
 * trying all there is. It shares nothing with what it judges.
 */
import type { AccessRules, Principal } from "../../../src/access/AccessRules.ts"
import { hashOf } from "../../../src/access/tokens.ts"
import type { Verb } from "../../../src/access/Verb.ts"

/** What each principal is allowed of every verb, as topic filters; those of names are the same with dots. */
const allowances: Readonly<Record<string, "any" | ReadonlyArray<string>>> = {
  all: "any",
  none: [],
  every: ["#"],
  below: ["a/#"],
  two: ["a/b", "b"],
  second: ["+/b"],
  one: ["+", "a/x"],
  mixed: ["a/+", "b/#"],
  deep: [".c/#", "a/b/#"],
  odd: ["a/+/a", "$d/a"],
}

/** Who may sync what another may do otherwise: whoever takes one verb for another is found out. */
const syncsAs: Readonly<Record<string, string>> = {
  below: "two",
  two: "below",
  second: "mixed",
  mixed: "second",
  every: "one",
  one: "every",
}

const allowanceOf = (principal: string, verb: Verb): "any" | ReadonlyArray<string> | undefined =>
  allowances[verb === "sync" ? (syncsAs[principal] ?? principal) : principal]

/** Who is not in the rules. */
export const stranger = "stranger"

export const principals: ReadonlyArray<string> = [...Object.keys(allowances), stranger]

export const tokenOf = (principal: string): string => `token-of-${principal}`

/** A principal that is known by its token. Its rules are those of the one that is known by its name. */
export const byToken = (principal: string): string => `${principal}-by-token`

export const certificateNameOf = (principal: string): string => `${principal}.example.org`

/** A principal that is known by its certificate. Its rules are those of the one that is known by its name. */
export const byCertificate = (principal: string): string => `${principal}-by-certificate`

/** A principal that may call `.bus`, too. Its rules are otherwise the same. */
export const byBus = (principal: string): string => `${principal}-by-bus`

const dotted = (allowance: "any" | ReadonlyArray<string>) =>
  allowance === "any"
    ? allowance
    : allowance.map((filter) => filter.replaceAll("/", ".").replaceAll("+", "?").replaceAll("#", "*"))

const rulesOf = (name: string, allowance: "any" | ReadonlyArray<string>): Principal => ({
  send: dotted(allowance),
  broadcast: dotted(allowance),
  publish: allowance,
  subscribe: allowance,
  delete: allowance,
  queue: allowance,
  sync: allowanceOf(name, "sync")!,
  admin: allowance === "any" ? "any" : allowance.includes("b") ? ["stats"] : [],
})

export const rules: AccessRules = {
  principals: Object.fromEntries(
    Object.entries(allowances).flatMap(([name, allowance]) => [
      [name, rulesOf(name, allowance)],
      [byToken(name), { ...rulesOf(name, allowance), tokens: [hashOf(tokenOf(name))] }],
      [byCertificate(name), { ...rulesOf(name, allowance), certificates: [certificateNameOf(name)] }],
      [byBus(name), { ...rulesOf(name, allowance), send: allowance === "any" ? "any" : [".bus"] }],
    ]),
  ),
}

/** Topics that anybody may ask for. */
export const topics: ReadonlyArray<string> = ["a", "b", "a/a", "a/b", "a/x", "b/b", "a/b/a", "a/b/b", ".c/a"]

/** Topics of the bus itself: on the durable plane only read, on the live plane like any other. */
export const reservedTopics: ReadonlyArray<string> = ["$d/a", "$msgbus.delete"]

export const wildcards: ReadonlyArray<string> = [
  "#",
  "+",
  "a/#",
  "a/+",
  "+/b",
  "+/+",
  "a/+/#",
  "a/b/#",
  "a/+/a",
  "b/#",
  ".c/#",
  "$d/#",
]

export const nameOf = (topic: string): string => topic.replaceAll("/", ".")
export const maskOf = (filter: string): string => dotted([filter])[0]!

type Parts = ReadonlyArray<string>

interface Syntax {
  readonly separator: string
  readonly one: string
  readonly rest: string
  /** All paths of up to four parts, of which one stands for all that nobody named. */
  readonly everything: ReadonlyArray<Parts>
}

const combined = (parts: ReadonlyArray<string>): ReadonlyArray<Parts> => {
  const all: Array<Parts> = [[]]
  for (const path of all) if (path.length < 4) for (const part of parts) all.push([...path, part])
  return all.slice(1)
}

const paths: Syntax = {
  separator: "/",
  one: "+",
  rest: "#",
  everything: combined(["a", "b", ".c", "$d", "anything"]),
}

const namesOf: Syntax = {
  separator: ".",
  one: "?",
  rest: "*",
  everything: combined(["a", "b", "c", "$d", "", "anything"]),
}

const matchesParts = (syntax: Syntax, pattern: Parts, path: Parts): boolean => {
  const [first, ...others] = pattern
  if (first === syntax.rest) return path.length > 0
  if (first === undefined || path.length === 0) return first === undefined && path.length === 0
  return (first === syntax.one || first === path[0]) && matchesParts(syntax, others, path.slice(1))
}

const matches = (syntax: Syntax, pattern: string, path: string): boolean =>
  matchesParts(syntax, pattern.split(syntax.separator), path.split(syntax.separator))

const isWithin = (syntax: Syntax, pattern: string, inner: string): boolean => {
  const [outside, inside] = [pattern.split(syntax.separator), inner.split(syntax.separator)]
  // What has no wildcards matches itself, which everything that is tried may not hold.
  const isPattern = inside.some((part) => part === syntax.one || part === syntax.rest)
  const tried = isPattern ? syntax.everything : [inside]
  return tried.every((path) => !matchesParts(syntax, inside, path) || matchesParts(syntax, outside, path))
}

/** Whether the rules allow it. Names and masks are written as topics and filters here. */
export const isAllowed = (principal: string, verb: Verb, object: string): boolean => {
  const allowance = allowanceOf(principal, verb)
  if (allowance === undefined || allowance === "any") return allowance === "any"
  switch (verb) {
    case "admin":
      return object === "stats" && allowance.includes("b")
    case "send": {
      const primary = nameOf(object).replace(/%%.*$/, "")
      return allowance.some((filter) => matches(namesOf, maskOf(filter), primary))
    }
    case "broadcast":
      return allowance.some((filter) => isWithin(namesOf, maskOf(filter), maskOf(object)))
    case "queue":
      return [object, object.replace(/\.dead$/, "")].some((queue) =>
        allowance.some((filter) => matches(paths, filter, queue)),
      )
    case "subscribe":
    case "sync":
      return allowance.some((filter) => isWithin(paths, filter, object))
    case "publish":
    case "delete":
      return allowance.some((filter) => matches(paths, filter, object))
  }
}
