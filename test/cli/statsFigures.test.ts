import { fromBinary, toBinary } from "@bufbuild/protobuf"
import { describe, expect, it } from "vitest"
import { figures, percentile } from "../../src/cli/node/statsFigures.ts"
import { line, table } from "../../src/cli/node/statsTable.ts"
import * as units from "../../src/cli/io/units.ts"
import { GetStatsResponseSchema } from "../../src/protocol/grpc/gen/millrace/v1/stats_pb.ts"
import { plainStats, statsMessage } from "../../src/protocol/grpc/stats/statsCodec.ts"
import { snapshot } from "./statsSnapshot.ts"

const bounds = [0.001, 0.002, 0.004, Infinity]

const busy = snapshot({
  at: 1_002_000,
  uptimeSeconds: 102,
  messages: { commits: 20, failures: 1, entries: 2000, seconds: { bounds, counts: [0, 10, 20, 20] } },
  messageBytes: 200_000,
  operations: { commits: 4, failures: 2, entries: 6, seconds: { bounds, counts: [4, 4, 4, 4] } },
  subscriptions: 2,
  subscribers: [
    { filter: "orders/#", origin: { tenant: "a", line: "b", device: "c" }, lag: 12_345, isLive: false },
    { filter: "x", origin: undefined, lag: 0, isLive: true },
  ],
  cursorCount: 1,
  cursors: [{ name: "billing", filter: "orders/#", lag: 99, isHeld: false }],
  peers: [
    { peer: "grpc://a:1", state: "in step", lag: 0, lastSuccessAt: 997_000 },
    { peer: "grpc://b:1", state: "unreached", lag: 1234, lastSuccessAt: undefined },
  ],
  queueCount: 2,
  takers: 1,
  queues: [
    { queue: "jobs", depth: 7, enqueued: 30, oldestAt: 942_000 },
    { queue: "empty", depth: 0, enqueued: 3, oldestAt: undefined },
  ],
})

describe("percentiles of a histogram", () => {
  it("are where they must be, and nothing where nothing happened", () => {
    const histogram = { bounds, counts: [0, 10, 20, 20] }
    expect(percentile(histogram, 0.5)).toBeCloseTo(0.002)
    expect(percentile(histogram, 0.75)).toBeCloseTo(0.003)
    expect(percentile(histogram, 0.25)).toBeCloseTo(0.0015)
    expect(percentile({ bounds, counts: [0, 0, 0, 5] }, 0.5)).toBe(0.004)
    expect(percentile({ bounds, counts: [0, 0, 0, 0] }, 0.5)).toBeUndefined()
    expect(percentile({ bounds: [], counts: [] }, 0.5)).toBeUndefined()
  })
})

describe("figures between two looks", () => {
  it("are rates in the time between them", () => {
    const earlier = snapshot({ queues: [{ queue: "jobs", depth: 5, enqueued: 20, oldestAt: 900_000 }] })
    const now = figures(earlier, busy)
    expect(now.messages).toMatchObject({ perSecond: 10, entriesPerSecond: 1000, entriesPerCommit: 100, failures: 1 })
    expect(now.messages.p50).toBeCloseTo(0.002)
    expect(now.bytesPerSecond).toBe(100_000)
    expect(now.queues).toEqual([
      { queue: "jobs", depth: 7, oldestAge: 60, inPerSecond: 5, outPerSecond: 4 },
      { queue: "empty", depth: 0, oldestAge: undefined, inPerSecond: undefined, outPerSecond: undefined },
    ])
  })

  it("are no rates where there is nothing before them, or the node was started again meanwhile", () => {
    for (const earlier of [undefined, snapshot({ uptimeSeconds: 500 })]) {
      const now = figures(earlier, busy)
      expect(now.messages).toMatchObject({ perSecond: undefined, entriesPerCommit: undefined, p99: undefined })
      expect(now.queues[0]).toMatchObject({ inPerSecond: undefined, depth: 7 })
    }
  })
})

describe("figures on the wire", () => {
  it("arrive as they were", () => {
    for (const stats of [busy, snapshot({ store: undefined })]) {
      const bytes = toBinary(GetStatsResponseSchema, statsMessage(stats))
      expect(plainStats(fromBinary(GetStatsResponseSchema, bytes))).toEqual(stats)
    }
  })
})

describe("the table", () => {
  it("shows what there is, in 80 columns whatever its names are", () => {
    const long = "a/very/long/name/".repeat(10)
    const lines = table(
      figures(
        snapshot(),
        snapshot({
          ...busy,
          readiness: { ready: false, error: `the store stopped writing; ${long}`, since: 0 },
          subscribers: [{ filter: long, origin: undefined, lag: 1e15, isLive: false }],
          queues: [{ queue: long, depth: 1e12, enqueued: 1e13, oldestAt: 0 }],
          peers: [...busy.peers, { peer: long, state: "logs failing", lag: 1e12, lastSuccessAt: 0 }],
        }),
      ),
    )
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80)
    expect(lines.join("\n")).toMatch(/PEERS 3 +BEHIND +SILENT FOR +STATE\n {2}grpc:\/\/a:1 +0 +5 s +in step\n/)
    expect(lines.join("\n")).toMatch(
      /NOT READY[\s\S]*the store stopped writing[\s\S]*publishes +1,000\/s[\s\S]*billing \(orders\/#\) +99 +nobody's\n/,
    )
  })

  it("fits the terminal, and says what it leaves out", () => {
    const queues = Array.from({ length: 60 }, (_, i) => ({ queue: `q${i}`, depth: 60 - i, enqueued: 60, oldestAt: 0 }))
    const subscribers = Array.from({ length: 40 }, (_, i) => ({
      filter: `f${i}`,
      origin: undefined,
      lag: 1,
      isLive: false,
    }))
    const cursors = Array.from({ length: 30 }, (_, i) => ({ name: `c${i}`, filter: "a", lag: 30 - i, isHeld: true }))
    const many = figures(
      undefined,
      snapshot({ queues, queueCount: 60, subscribers, subscriptions: 40, cursors, cursorCount: 30 }),
    )
    for (const rows of [23, 30, 50]) expect(table(many, rows).length).toBeLessThanOrEqual(rows)
    expect(table(many, 30).join("\n")).toMatch(/… \d+ more[\s\S]*CURSORS 30[\s\S]*… \d+ more[\s\S]*… \d+ more/)
    expect(table(many, 23).join("\n")).toMatch(/QUEUES 60/)
  })

  it("has its figures also in one line", () => {
    const text = line(figures(snapshot(), busy))
    expect(text).toMatch(
      /^1970-01-01T00:16:42\.000Z ready publishes\/s=1000 commits\/s=10 per-commit=100 commit-p50-ms=2 /,
    )
    expect(text).toMatch(/ lag=12345 queue-items=7 oldest-item-s=60 /)
  })
})

describe("units", () => {
  it("are short", () => {
    expect([0, 1023, 1024, 12_949_192, 84e9].map(units.bytes)).toEqual([
      "0 B",
      "1023 B",
      "1 KiB",
      "12.3 MiB",
      "78.2 GiB",
    ])
    expect([0.00012, 0.0471, 1.5].map(units.millis)).toEqual(["0.12 ms", "47.1 ms", "1.50 s"])
    expect([5, 65, 3700, 300_000].map(units.age)).toEqual(["5 s", "1 m 5 s", "1 h 1 m", "3 d 11 h"])
    expect([undefined, 0.5, 12.25, 12_345.6].map(units.rate)).toEqual(["–", "0.50/s", "12.3/s", "12,346/s"])
  })
})
