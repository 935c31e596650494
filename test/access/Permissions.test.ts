import { describe, expect, it } from "@effect/vitest"
import * as Permissions from "../../src/access/Permissions.ts"
import { type Verb, verbNames } from "../../src/access/Verb.ts"

const rules = Permissions.make("plant1.line2", {
  send: ["plant1.?", ".bus", "archive"],
  broadcast: ["plant1.*"],
  publish: ["sensors/plant1/#", "alarms/plant1"],
  subscribe: ["orders/+/placed", "alarms/#"],
  delete: [],
  queue: ["jobs/+", "mail"],
  admin: ["stats"],
})

describe("permissions", () => {
  it.each<[Verb, string, boolean]>([
    ["send", "plant1.line2", true],
    ["send", "plant1.line2%%second.part", true],
    ["send", "plant1.line2.a", false],
    ["send", ".bus", true],
    ["send", ".broker", false],
    ["send", "archive%%1", true],
    ["broadcast", "plant1.*", true],
    ["broadcast", "plant1.a.?", true],
    ["broadcast", "?.line2", false],
    ["broadcast", "plant1", false],
    ["publish", "sensors/plant1/t4", true],
    ["publish", "sensors/plant1", false],
    ["publish", "alarms/plant1", true],
    ["publish", "alarms/plant1/x", false],
    ["subscribe", "orders/eu/placed", true],
    ["subscribe", "orders/+/placed", true],
    ["subscribe", "orders/#", false],
    ["subscribe", "alarms/+/fire", true],
    ["subscribe", "#", false],
    ["delete", "alarms/plant1", false],
    ["queue", "jobs/eu", true],
    ["queue", "jobs/eu.dead", true],
    ["queue", "mail", true],
    ["queue", "mail.dead", true],
    ["queue", "mail.dead.dead", false],
    ["queue", ".dead", false],
    ["sync", "orders/eu/placed", false],
    ["admin", "stats", true],
    ["admin", "backup", false],
  ])("%s %s: %s", (verb, object, allowed) => {
    expect(rules.allows(verb, object)).toBe(allowed)
    // What was decided before is decided alike.
    expect(rules.allows(verb, object)).toBe(allowed)
  })

  it("allow all where a verb is any, and nothing where it is absent or empty", () => {
    for (const verb of verbNames) {
      expect(Permissions.all("a").allows(verb, "x/y")).toBe(true)
      expect(Permissions.all("a").allowsAll(verb)).toBe(true)
      const none = Permissions.make("a", { [verb]: [] })
      expect(none.allows(verb, "x/y")).toBe(false)
      expect(none.allowsSome(verb)).toBe(false)
      expect(Permissions.make("a", {}).allowsSome(verb)).toBe(false)
    }
  })

  it("answer alike where they remember and where they do not", () => {
    const patterns = Array.from({ length: 20 }, (_, n) => `${n}/+/#`)
    const many = Permissions.make("a", { subscribe: patterns, publish: patterns })
    for (const _ of [1, 2]) {
      for (let n = 0; n < 700; n++) {
        expect(many.allows("publish", `${n}/a/b`)).toBe(n < 20)
        expect(many.allows("subscribe", `${n}/#`)).toBe(false)
        expect(many.allows("subscribe", `${n}/a/#`)).toBe(n < 20)
      }
    }
  })
})
