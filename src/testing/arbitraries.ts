/**
 * Arbitraries of the domain, for fast-check: values that obey the rules, and near misses that do not.
 */
import * as fc from "fast-check"
import type { LogId } from "../domain/LogId.ts"
import type { NodeId } from "../domain/NodeId.ts"

/** A part of a path: letters of one, two, three and four bytes, dots, spaces between, never a wildcard. */
const part = fc.string({
  unit: fc.constantFrom("a", "b", "Z", "0", ".", "-", "_", "é", "語", "😀", "$"),
  minLength: 1,
  maxLength: 6,
})

/** A topic that applications may write to. */
export const topic: fc.Arbitrary<string> = fc
  .array(part, { minLength: 1, maxLength: 5 })
  .map((parts) => parts.join("/"))
  .filter((topic) => !topic.startsWith("$"))

/** A topic that belongs to the bus. */
export const reservedTopic: fc.Arbitrary<string> = topic.map((topic) => `$${topic}`)

/** A filter over topics, often with wildcards. */
export const topicFilter: fc.Arbitrary<string> = fc
  .tuple(
    fc.array(fc.oneof(part, fc.constant("+")), { minLength: 1, maxLength: 5 }),
    fc.constantFrom("", "/#"),
    fc.boolean(),
  )
  .map(([parts, rest, all]) => (all ? "#" : parts.join("/") + rest))

/** A filter and a topic that share enough parts to match now and then. */
export const filterAndTopic: fc.Arbitrary<readonly [filter: string, topic: string]> = fc
  .array(fc.constantFrom("a", "b", "$c"), { minLength: 1, maxLength: 4 })
  .chain((names) =>
    fc.tuple(
      fc
        .tuple(...names.map((name) => fc.constantFrom(name, "+", "b")))
        .chain((parts) =>
          fc
            .integer({ min: 0, max: parts.length })
            .chain((length) => fc.constantFrom([...parts.slice(0, length), "#"].join("/"), parts.join("/"))),
        ),
      fc.constant(names.join("/")),
    ),
  )

export const nodeId: fc.Arbitrary<NodeId> = fc.record({
  tenant: fc.oneof(part, fc.constantFrom("a/b", "100%", "%2F")),
  line: part,
  device: part,
})

export const logId: fc.Arbitrary<LogId> = fc.record({ topic, origin: nodeId })

/** Payloads, most of them small, some empty, some not UTF-8. */
export const payload: fc.Arbitrary<Uint8Array> = fc.uint8Array({ maxLength: 200 })

/** Headers, with names that bite where objects have prototypes. */
export const headers: fc.Arbitrary<Record<string, string>> = fc.dictionary(
  fc.oneof(fc.constantFrom("__proto__", "constructor", "traceparent", "é"), fc.string({ minLength: 1, maxLength: 12 })),
  fc.string({ unit: "grapheme", maxLength: 30 }),
  { maxKeys: 4, noNullPrototype: false },
)
