/** What those who look after a node are told of its peers, and how things stand with each in a word. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import {
  conflicts,
  failures,
  isTrouble,
  noPeers,
  standingOf,
  type StatusWanted,
  syncControl,
  type SyncState,
} from "../../src/replication/index.ts"
import { idOf } from "./nodes.ts"
import { logState, peerState } from "./states.ts"

const failing = { failures: 3, failingSince: 5000, lastError: "no node answers" }

describe("how things stand with a peer", () => {
  it.each([
    ["unasked", { lastAttemptAt: 0, lastSuccessAt: 0 }, false],
    ["unreached", { ...failing, lastSuccessAt: 0 }, true],
    ["refused", { ...failing, isRefused: true, lastSuccessAt: 0 }, true],
    ["failing", { ...failing, behind: 7, logsQuarantined: 1 }, true],
    ["in conflict", { logsQuarantined: 1, logsFailing: 1, behind: 3, isSyncing: true }, true],
    ["logs failing", { logsFailing: 1, behind: 3 }, true],
    ["syncing", { behind: 3, isSyncing: true }, false],
    ["behind", { behind: 3 }, false],
    ["in step", { isSyncing: true }, false],
  ] as const)("is: %s", (standing, changes, needsSomebody) => {
    expect(standingOf(peerState(changes))).toBe(standing)
    expect(isTrouble(standing)).toBe(needsSomebody)
  })

  it("is remarked where somebody should look at it, on one line each, whatever a peer has said", () => {
    const well = peerState()
    const gone = peerState({ peer: "grpc://b:1", ...failing, lastError: "what\nREADY\u001b[2J" })
    const differing = peerState({ peer: "grpc://c:1", logsQuarantined: 2 })
    expect(failures([well, gone, differing])).toEqual([
      "peer grpc://b:1 has been failing since 1970-01-01T00:00:05.000Z: what READY [2J",
    ])
    expect(conflicts([well, gone, differing])).toEqual([
      "2 logs are quarantined, because their copies here and at the peer grpc://c:1 differ: millrace sync status says more",
    ])
  })
})

const other = idOf("b")
const states: ReadonlyArray<SyncState> = [
  logState({ log: { topic: "fine", origin: other } }),
  logState({ log: { topic: "behind", origin: other }, localHead: 4 }),
  logState({ log: { topic: "failing", origin: idOf("c") }, failures: 2, lastError: "no" }),
  logState({
    log: { topic: "$differs", origin: other },
    failures: 1,
    quarantine: { offset: 3, since: 1, isKept: false },
  }),
  logState({
    log: { topic: "kept", origin: other },
    localHead: 4,
    failures: 9,
    quarantine: { offset: 3, since: 1, isKept: true },
  }),
  logState({ peer: "grpc://b:1", log: { topic: "behind", origin: other }, localHead: 1 }),
]
const peers = [peerState({ behind: 6, logsQuarantined: 1 }), peerState({ peer: "grpc://b:1", behind: 9, ...failing })]
const control = syncControl(idOf("x"), { ...noPeers, peers: Effect.succeed(peers), states: Effect.succeed(states) })

const asked = (wanted: StatusWanted) =>
  Effect.map(Stream.runCollect(control.status(wanted)), ([first, ...rest]) => {
    if (first?._tag !== "Peers") throw new Error("the peers come first")
    return { status: first.status, logs: rest.flatMap((event) => (event._tag === "Logs" ? event.logs : [])) }
  })

describe("the status", () => {
  it.effect("is of the peers first, with totals over all of them, then of the logs that are wanted", () =>
    Effect.gen(function* () {
      const none = yield* asked({ logs: "none" })
      expect(none.logs).toEqual([])
      expect(none.status).toMatchObject({
        node: idOf("x"),
        peers: [
          { peer: "grpc://a:1", logsBehind: 1 },
          { peer: "grpc://b:1", logsBehind: 1 },
        ],
        totals: { peers: 2, failing: 1, behind: 15, logsQuarantined: 1 },
      })
      const topics = (wanted: StatusWanted) => Effect.map(asked(wanted), ({ logs }) => logs.map(({ log }) => log.topic))
      expect(yield* topics({ logs: "all" })).toHaveLength(6)
      expect(yield* topics({ logs: "troubled" })).toEqual(["behind", "failing", "$differs", "behind"])
      expect(yield* topics({ logs: "troubled", origin: idOf("c") })).toEqual(["failing"])
      expect(yield* topics({ logs: "all", topics: "$differs" })).toEqual(["$differs"])
      const ofB = yield* asked({ logs: "all", peer: "grpc://b:1" })
      expect(ofB.logs).toEqual([states[5]])
      expect(ofB.status.peers).toHaveLength(1)
      expect(ofB.status.totals).toEqual(none.status.totals)
    }),
  )

  it.effect("of many logs comes some at a time, each log once", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 1234 }, (_, i) => logState({ log: { topic: `${i}`, origin: other } }))
      const { status } = syncControl(idOf("x"), {
        ...noPeers,
        peers: Effect.succeed(peers),
        states: Effect.succeed(many),
      })
      const [, ...rest] = yield* Stream.runCollect(status({ logs: "all" }))
      const logs = rest.map((event) => (event._tag === "Logs" ? event.logs : []))
      expect(logs.flat()).toEqual(many)
      for (const some of logs) expect(some.length).toBeLessThanOrEqual(500)
    }),
  )

  it.effect("of a peer that is none, and of topics that cannot be, is refused with what there is", () =>
    Effect.gen(function* () {
      const nobody = yield* Effect.flip(asked({ logs: "none", peer: "grpc://c:1" }))
      expect(nobody).toMatchObject({
        _tag: "InvalidArgument",
        message: 't/l/x has no peer "grpc://c:1": it has grpc://a:1, grpc://b:1',
      })
      expect(yield* Effect.flip(asked({ logs: "all", topics: "a+" }))).toMatchObject({ _tag: "InvalidArgument" })
      const log = { topic: "orders", origin: other }
      expect(yield* Effect.flip(syncControl(idOf("x"), noPeers).resolve(log, "peer"))).toMatchObject({
        _tag: "NotResolvable",
        message: expect.stringContaining("the node has no peers"),
      })
    }),
  )
})
