/** A node's figures as tests want them: at rest, but for what they change. */
import { defaultNodeId } from "../../src/domain/NodeId.ts"
import type { StatsSnapshot } from "../../src/stats/Stats.ts"

const bounds = [0.001, 0.002, 0.004, Infinity]
const atRest = { commits: 0, failures: 0, entries: 0, seconds: { bounds, counts: [0, 0, 0, 0] } }

export const snapshot = (changes: Partial<StatsSnapshot> = {}): StatsSnapshot => ({
  node: defaultNodeId,
  at: 1_000_000,
  uptimeSeconds: 100,
  readiness: { ready: true, error: "", since: 900_000 },
  messages: atRest,
  messageBytes: 0,
  publishFailures: 0,
  writesWaiting: 0,
  feedJumps: 0,
  feedHeldBytes: 0,
  subscriptions: 0,
  subscribers: [],
  operations: atRest,
  queueCount: 0,
  takers: 0,
  queues: [],
  cursorCount: 0,
  cursors: [],
  peers: [],
  store: { databaseBytes: 1024, walBytes: 2048, freeBytes: 4096 },
  process: { residentBytes: 100_000_000, heapBytes: 50_000_000 },
  loopDelay: { p50: 0.0001, p99: 0.005, max: 0.02 },
  connections: 1,
  ...changes,
})
