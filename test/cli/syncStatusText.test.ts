/** How a node stands with its peers, as people and programs are shown it. */
import { describe, expect, it } from "vitest"
import { logObject, peerObject, text } from "../../src/cli/replication/statusText.ts"
import type { PeerStatus, SyncState, SyncStatus } from "../../src/replication/index.ts"
import { logState, peerState } from "../replication/states.ts"

const at = 1_000_000
const status = (...peers: ReadonlyArray<Partial<PeerStatus>>): SyncStatus => ({
  node: { tenant: "t", line: "l", device: "x" },
  at,
  peers: peers.map((changes) => ({ ...peerState(), logsBehind: 0, ...changes })),
  totals: { peers: peers.length, failing: 0, behind: 0, logsQuarantined: 0 },
})

const lines = (of: SyncStatus, logs: ReadonlyArray<SyncState> = [], hasAll = false) =>
  text(of, logs, hasAll).split("\n")

describe("the table of peers", () => {
  it("says who each is, how it tells, and how things stand, and nothing more where all is well", () => {
    const shown = lines(
      status(
        { logs: 12, lastSuccessAt: at - 3000 },
        { peer: "grpc://b:1", isTelling: false, isSyncing: true, behind: 12_345, logs: 2 },
      ),
    )
    expect(shown).toEqual([
      "PEER        NODE   TELLS        STATE    BEHIND  LAST SUCCESS  LOGS  QUARANTINED",
      "grpc://a:1  t/l/a  at once      in step       0       3 s ago    12            0",
      "grpc://b:1  t/l/a  when polled  syncing  12,345       0 s ago     2            0",
      "",
    ])
  })

  it("says since when a peer fails, and below it why", () => {
    const failing = { failures: 4, failingSince: at - 130_000, lastError: "no node answers" }
    const [, gone, refused, unknown, ...below] = lines(
      status(
        { ...failing, lastSuccessAt: at - 131_000 },
        { ...failing, isRefused: true },
        { ...failing, identity: undefined, lastSuccessAt: 0 },
      ),
    )
    expect(gone).toMatch(/ failing for 2 m 10 s +0 +2 m 11 s ago /)
    expect(refused).toMatch(/ refused for 2 m 10 s /)
    expect(unknown).toMatch(/^grpc:\/\/a:1 +– .* never reached +0 +never /)
    const why = "peer grpc://a:1 has been failing since 1970-01-01T00:14:30.000Z: no node answers"
    expect(below).toEqual(["", why, why, why, ""])
  })
})

describe("the lines for logs", () => {
  const origin = { tenant: "t", line: "l", device: "a" }
  const quarantine = { offset: 4, since: at, isKept: false }

  it("begin with what waits for somebody, and say what to do about it", () => {
    const shown = lines(status({}), [
      logState({ log: { topic: "little", origin }, localHead: 7 }),
      logState({ log: { topic: "much", origin }, localHead: 0, remoteHead: 2000 }),
      logState({ log: { topic: "sick", origin }, failures: 2, lastError: "offset 9 where 8 was due" }),
      logState({ log: { topic: "$a b", origin }, failures: 1, lastError: "other content", quarantine }),
    ]).slice(3, -1)
    expect(shown).toEqual([
      "$a b@t/l/a of grpc://a:1: 10 here, 10 there; quarantined since 1970-01-01T00:16:40.000Z, because it differs at offset 4: other content",
      "    decide which one is right: millrace doctor resolve '$a b@t/l/a' --keep local|peer",
      "sick@t/l/a of grpc://a:1: 10 here, 10 there; failed 2 times in a row: offset 9 where 8 was due",
      "much@t/l/a of grpc://a:1: 2,000 behind (0 here, 2,000 there)",
      "little@t/l/a of grpc://a:1: 3 behind (7 here, 10 there)",
    ])
  })

  it("name the peer where there are several, and are no alarm where it was decided", () => {
    const kept = { ...quarantine, isKept: true }
    const shown = lines(status({}, { peer: "grpc://b:1" }), [
      logState({ peer: "grpc://b:1", failures: 1, quarantine: kept }),
      logState({ peer: "grpc://b:1", failures: 1, quarantine }),
    ])
    expect(shown.at(-3)).toMatch(/--keep local\|peer --peer grpc:\/\/b:1$/)
    expect(shown.at(-2)).toMatch(/differs at offset 4, and it was decided to keep what is here$/)
  })

  it("are no more than a screen can take, unless all are asked for", () => {
    const many = Array.from({ length: 400 }, (_, i) => logState({ log: { topic: `${i}`, origin }, localHead: 1 }))
    expect(lines(status({}), many)).toHaveLength(3 + 50 + 2)
    expect(lines(status({}), many).at(-2)).toBe("… and 350 more: --all shows every log")
    expect(lines(status({}), many, true)).toHaveLength(3 + 400 + 1)
  })

  it("stay one line each and control no terminal, whatever a peer says", () => {
    const evil = "x\u001b[2J\r\nREADY\u2028\u009b2J"
    const shown = text(
      status({ identity: { ...origin, device: evil }, lastError: evil, failures: 1, failingSince: 1 }),
      [logState({ log: { topic: evil, origin: { ...origin, tenant: evil } }, failures: 1, lastError: evil })],
      false,
    )
    expect(shown.split("\n")).toHaveLength(6)
    expect(shown.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u2028]/u)
  })
})

describe("the objects for programs", () => {
  it("leave out what never was", () => {
    expect(peerObject({ ...peerState({ lastSuccessAt: 0, identity: undefined }), logsBehind: 1 })).toEqual({
      kind: "peer",
      peer: "grpc://a:1",
      state: "in step",
      tellsAtOnce: true,
      behind: 0,
      logs: 1,
      logsBehind: 1,
      logsFailing: 0,
      logsQuarantined: 0,
      accepted: 0,
      failures: 0,
      lastAttemptAt: at,
    })
  })

  it("have all of a log", () => {
    const quarantine = { offset: 4, since: 5, isKept: false }
    expect(logObject(logState({ localHead: 3, failures: 1, lastError: "no", quarantine }))).toEqual({
      kind: "log",
      peer: "grpc://a:1",
      topic: "orders",
      origin: "t/l/a",
      troubled: true,
      localHead: 3,
      remoteHead: 10,
      syncedHead: 10,
      failures: 1,
      lastAttemptAt: at,
      lastSuccessAt: at,
      lastError: "no",
      quarantine: { offset: 4, since: 5, kept: false },
    })
  })
})
