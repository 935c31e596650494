import { describe, expect, it } from "@effect/vitest"
import * as LogId from "../../src/domain/LogId.ts"
import {
  check,
  type Fault,
  type History,
  type QueueEvent,
  type QueueHistory,
  type Seen,
} from "../../src/testing/history.ts"

const log = { topic: "t", origin: { tenant: "a", line: "b", device: "c" } }
const key = LogId.key(log)
const seen = (offset: number, more: Partial<Seen> = {}): Seen => ({
  ...log,
  offset,
  id: `id ${offset}`,
  content: `content ${offset}`,
  deleted: false,
  ...more,
})
const write = (offset: number) =>
  ({ ...log, writer: "w", content: `content ${offset}`, outcome: "ok", offset }) as const

/** Three messages written, stored and read as they should be. */
const clean: History = {
  writes: [write(1), write(2), write(3)],
  deletions: [],
  final: [seen(1), seen(2), seen(3)],
  reads: [
    {
      reader: "r",
      seen: [seen(1), seen(2), seen(3)],
      expected: new Map([[key, { firstMin: 1, firstMax: 1, last: 3 }]]),
    },
  ],
}

const reading = (...messages: ReadonlyArray<Seen>): History => ({
  ...clean,
  reads: [{ ...clean.reads[0]!, seen: messages }],
})

const gone = (offset: number): Seen => seen(offset, { deleted: true, content: "" })
const replica = (...messages: ReadonlyArray<Seen>): History => ({
  ...clean,
  replicas: [{ node: "another", seen: messages }],
})

const enqueue = (sequence: number, outcome: "ok" | "failed" | "unknown" = "ok"): QueueEvent => ({
  type: "enqueue",
  content: `item ${sequence}`,
  outcome,
  sequence: outcome === "ok" ? sequence : undefined,
})
const handed = (sequence: number): QueueEvent => ({ type: "handed out", content: `item ${sequence}`, sequence })
const ack = (sequence: number, outcome: "ok" | "failed" | "unknown" = "ok"): QueueEvent => ({
  type: "ack",
  content: `item ${sequence}`,
  sequence,
  outcome,
})
const left = (...sequences: ReadonlyArray<number>): QueueHistory["final"] =>
  sequences.map((sequence) => ({ content: `item ${sequence}`, sequence }))
const withQueue = (events: ReadonlyArray<QueueEvent>, final: QueueHistory["final"]): History => ({
  ...clean,
  queues: [{ queue: "q", events, final }],
})
const three = [enqueue(1), enqueue(2), enqueue(3)]

const broken: ReadonlyArray<readonly [Fault, string, History]> = [
  ["lost", "an acknowledged write that is not there", { ...clean, final: [seen(1), seen(2)], reads: [] }],
  [
    "lost",
    "an acknowledged write whose place holds another",
    { ...clean, writes: [write(1), write(3), { ...write(2), offset: 3 }], reads: [] },
  ],
  ["duplicate", "an offset that is stored twice", { ...clean, final: [seen(1), seen(1), seen(2), seen(3)] }],
  [
    "duplicate",
    "one write that is stored twice",
    { ...clean, final: [seen(1), seen(2), seen(3, { content: "content 1" })] },
  ],
  ["duplicate", "an offset that came twice", reading(seen(1), seen(2), seen(2), seen(3))],
  ["stuck", "a replica that has not got everything", replica(seen(1), seen(2))],
  ["gap", "a replica that lacks a message", replica(seen(1), seen(3))],
  ["duplicate", "a replica that has an offset twice", replica(seen(1), seen(2), seen(2), seen(3))],
  ["phantom", "a replica that has more than there is", replica(seen(1), seen(2), seen(3), seen(4))],
  ["divergent", "a replica that has another message", replica(seen(1), seen(2, { id: "other" }), seen(3))],
  ["divergent", "a replica that has another content", replica(seen(1), seen(2, { content: "other" }), seen(3))],
  ["divergent", "a replica that has a tombstone where nothing is deleted", replica(seen(1), gone(2), seen(3))],
  [
    "undone",
    "a replica that has what is deleted elsewhere",
    { ...replica(seen(1), seen(2), seen(3)), final: [seen(1), gone(2), seen(3)] },
  ],
  ["gap", "an offset that is not stored", { ...clean, final: [seen(1), seen(3)] }],
  ["gap", "an offset that did not come", reading(seen(1), seen(3))],
  ["gap", "a start after the start", reading(seen(2), seen(3))],
  ["reordered", "an offset that came after a higher one", reading(seen(1), seen(3), seen(2))],
  ["reordered", "writes of one writer in another order", { ...clean, writes: [write(2), write(1), write(3)] }],
  ["phantom", "what nobody wrote", { ...clean, writes: [write(1), write(2)] }],
  [
    "phantom",
    "what failed",
    { ...clean, writes: [write(1), write(2), { ...write(3), outcome: "failed", offset: undefined }] },
  ],
  ["phantom", "what came and is not stored", reading(seen(1), seen(2), seen(3), seen(4))],
  ["divergent", "another content at the same place", reading(seen(1), seen(2, { content: "content 3" }), seen(3))],
  ["divergent", "another id at the same place", reading(seen(1), seen(2, { id: "other" }), seen(3))],
  ["divergent", "a tombstone that is none in the end", reading(seen(1), seen(2, { deleted: true }), seen(3))],
  ["undone", "a deleted message that is there", { ...clean, deletions: [{ ...log, from: 1, to: 2, outcome: "ok" }] }],
  ["stuck", "a reader that did not get to the end", reading(seen(1), seen(2))],
  ["stuck", "a reader that got nothing", reading()],
  ["lost", "an item that nobody acknowledged and that is gone", withQueue(three, left(1, 3))],
  [
    "lost",
    "an item whose acknowledgement failed and that is gone",
    withQueue([...three, ack(1, "failed")], left(2, 3)),
  ],
  [
    "duplicate",
    "an item that is there twice",
    withQueue(three, [...left(1, 2, 3), { content: "item 1", sequence: 4 }]),
  ],
  ["reordered", "items that are there in another order", withQueue(three, left(2, 1, 3))],
  ["reordered", "an item that is there although one behind it is gone", withQueue([...three, ack(2)], left(1, 3))],
  ["reordered", "an item that came after one behind it", withQueue([...three, ack(2), handed(1), ack(1)], left(3))],
  ["phantom", "an item that nobody enqueued", withQueue(three, left(1, 2, 3, 4))],
  ["phantom", "an item that failed", withQueue([...three, enqueue(4, "failed")], left(1, 2, 3, 4))],
  ["undone", "an item that is there although it was acknowledged", withQueue([...three, ack(1)], left(1, 2, 3))],
  ["undone", "an item that came again", withQueue([...three, handed(1), ack(1), handed(1)], left(2, 3))],
]

describe("the history checker", () => {
  it("finds nothing where nothing is wrong", () => {
    expect(check(clean)).toMatchObject({ isClean: true, findings: [] })
  })

  it.each(broken)("finds %s: %s", (fault, _, history) => {
    const verdict = check(history)
    expect(verdict.counts[fault], verdict.findings.join("\n")).toBeGreaterThan(0)
    expect(verdict.isClean).toBe(false)
  })

  it("takes an unknown write either way", () => {
    const unknown = { ...write(3), outcome: "unknown", offset: undefined } as const
    const stored = { ...clean, writes: [write(1), write(2), unknown] }
    expect(check(stored).isClean).toBe(true)
    const expected = new Map([[key, { firstMin: 1, firstMax: 1, last: 2 }]])
    const read = { reader: "r", seen: [seen(1), seen(2)], expected }
    expect(check({ ...stored, final: [seen(1), seen(2)], reads: [read] }).isClean).toBe(true)
  })

  it("takes what is unknown of a queue either way", () => {
    const events = [enqueue(1), handed(1), ack(1, "unknown"), enqueue(2), enqueue(3, "unknown")]
    expect(check(withQueue(events, left(1, 2, 3))).isClean).toBe(true)
    expect(check(withQueue([...events, handed(1), ack(1)], left(2))).isClean).toBe(true)
  })

  it("takes a message that was deleted after it was read", () => {
    const deleted = seen(2, { deleted: true, content: "" })
    const history = {
      ...clean,
      final: [seen(1), deleted, seen(3)],
      deletions: [{ ...log, from: 2, to: 2, outcome: "ok" as const }],
    }
    expect(check(history).isClean).toBe(true)
  })

  it("takes a keyed write that succeeded at the second attempt", () => {
    const failed = { ...write(3), outcome: "failed", offset: undefined } as const
    expect(check({ ...clean, writes: [...clean.writes, failed] }).isClean).toBe(true)
  })
})
