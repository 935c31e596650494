import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import * as fc from "fast-check"
import * as Cursor from "../../src/domain/Cursor.ts"
import * as LogId from "../../src/domain/LogId.ts"
import * as Message from "../../src/domain/Message.ts"
import * as NodeId from "../../src/domain/NodeId.ts"
import * as Topic from "../../src/domain/Topic.ts"
import * as TopicFilter from "../../src/domain/TopicFilter.ts"
import * as Arbitraries from "../../src/testing/arbitraries.ts"

describe("a topic", () => {
  it("is taken as it is where it obeys the rules", () => {
    fc.assert(fc.property(Arbitraries.topic, (topic) => Topic.problem(topic) === undefined))
    expect(Schema.decodeUnknownSync(Topic.Topic)("orders//eu/ placed")).toBe("orders//eu/ placed")
  })

  it.each([
    ["", "empty or blank"],
    [" \t\n", "empty or blank"],
    ["a\0b", "NUL"],
    ["a\ud800", "well-formed"],
    ["a/+/b", "wildcards"],
    ["a+b", "wildcards"],
    ["a/#", "wildcards"],
    ["a".repeat(1025), "1,024 bytes"],
    ["é".repeat(513), "1,024 bytes"],
  ])("is refused with a reason: %j", (topic, reason) => {
    expect(Topic.problem(topic)).toContain(reason)
    expect(() => Schema.decodeUnknownSync(Topic.Topic)(topic)).toThrow(reason)
  })

  it("may be 1,024 bytes long, in any script", () => {
    expect(Topic.problem("a".repeat(1024))).toBeUndefined()
    expect(Topic.problem("é".repeat(512))).toBeUndefined()
    expect(Topic.problem("😀".repeat(256))).toBeUndefined()
    expect(Topic.problem("😀".repeat(257))).toContain("1,028")
  })

  it("belongs to the bus where it begins with $", () => {
    fc.assert(fc.property(Arbitraries.reservedTopic, Topic.isReserved))
    fc.assert(fc.property(Arbitraries.topic, (topic) => !Topic.isReserved(topic)))
  })
})

describe("a topic filter", () => {
  it.each([
    ["a/+/c", "a/b/c", true],
    ["a/+/c", "a/b/d", false],
    ["a/+", "a", false],
    ["a/+", "a/b/c", false],
    ["a/#", "a/b", true],
    ["a/#", "a/b/c", true],
    ["a/#", "a", false],
    ["a/#", "ab/c", false],
    ["#", "a", true],
    ["#", "a/b", true],
    ["#", "$msgbus.delete", false],
    ["+", "$msgbus.delete", false],
    ["+/x", "$msgbus.delete/x", false],
    ["$msgbus.delete", "$msgbus.delete", true],
    ["$a/#", "$a/b", true],
    ["a/+", "a/$b", true],
    ["a/#/c", "a/b", true],
    ["a", "a", true],
    ["a", "b", false],
    ["a/b", "a//b", false],
    ["a/+/b", "a//b", true],
  ])("%s against %s: %s", (filter, topic, matches) => {
    expect(TopicFilter.matches(filter, topic)).toBe(matches)
  })

  it.each(["a+", "a/#b", "a/b+/c"])("is refused where a wildcard does not stand alone: %s", (filter) => {
    expect(TopicFilter.problem(filter)).toContain("stand alone")
  })

  it("matches the topic that it is", () => {
    fc.assert(fc.property(Arbitraries.topic, (topic) => TopicFilter.matches(topic, topic)))
  })

  it("obeys the definition, part by part", () => {
    const defined = (filter: ReadonlyArray<string>, topic: ReadonlyArray<string>): boolean =>
      filter[0] === "#"
        ? topic.length > 0
        : filter.length === 0 || topic.length === 0
          ? filter.length === topic.length
          : (filter[0] === "+" || filter[0] === topic[0]) && defined(filter.slice(1), topic.slice(1))
    fc.assert(
      fc.property(Arbitraries.filterAndTopic, ([filter, topic]) => {
        const reserved = topic.startsWith("$") && /^[+#]/.test(filter)
        expect(TopicFilter.matches(filter, topic)).toBe(!reserved && defined(filter.split("/"), topic.split("/")))
      }),
      { numRuns: 2000 },
    )
  })
})

describe("a node's identity", () => {
  it("is the same after a trip through text", () => {
    fc.assert(
      fc.property(Arbitraries.nodeId, (node) => {
        expect(Effect.runSync(NodeId.parse(NodeId.format(node)))).toEqual(node)
      }),
    )
  })

  it("has a key and a text of its own", () => {
    fc.assert(
      fc.property(Arbitraries.nodeId, Arbitraries.nodeId, (a, b) => {
        expect(NodeId.key(a) === NodeId.key(b)).toBe(NodeId.equals(a, b))
        expect(NodeId.format(a) === NodeId.format(b)).toBe(NodeId.equals(a, b))
      }),
    )
  })

  it.each(["", "a/b", "a/b/c/d", "a//c", " / / "])("is refused where it is not three parts: %j", (text) => {
    expect(Exit.isFailure(Effect.runSyncExit(NodeId.parse(text)))).toBe(true)
  })
})

describe("a log's key", () => {
  it("is equal for equal logs only", () => {
    fc.assert(
      fc.property(Arbitraries.logId, Arbitraries.logId, (a, b) => {
        const equal = a.topic === b.topic && NodeId.equals(a.origin, b.origin)
        expect(LogId.key(a) === LogId.key(b)).toBe(equal)
      }),
    )
  })
})

describe("a cursor", () => {
  it("is the same after a trip through text", () => {
    fc.assert(
      fc.property(fc.uuid(), fc.maxSafeNat(), (incarnation, position) => {
        const cursor = { incarnation, position }
        expect(Effect.runSync(Cursor.parse(Cursor.format(cursor)))).toEqual(cursor)
      }),
    )
  })

  it.each(["", "x", "x:", ":1", "x:-1", "x:1.5", "x:99999999999999999999", "x:9007199254740992"])(
    "is refused where it is none: %j",
    (text) => {
      expect(Exit.isFailure(Effect.runSyncExit(Cursor.parse(text)))).toBe(true)
    },
  )
})

describe("headers", () => {
  it("keep every name, also __proto__, and have no prototype", () => {
    fc.assert(
      fc.property(Arbitraries.headers, (headers) => {
        const made = Message.makeHeaders(headers)
        expect(Object.getPrototypeOf(made)).toBeNull()
        expect(Object.entries(made)).toEqual(Object.entries(headers))
      }),
    )
    const hostile: Record<string, string> = JSON.parse('{"__proto__":"x"}')
    expect(Object.keys(Message.makeHeaders(hostile))).toEqual(["__proto__"])
  })
})
