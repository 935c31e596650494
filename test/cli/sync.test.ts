/**
 * `sync status` and `doctor resolve`, of a node whose peers are what the test says. With real nodes, the guide to them is run
 * (`test/house/docs.test.ts`).
 */
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { shellWord } from "../../src/cli/io/shellWord.ts"
import * as LogId from "../../src/domain/LogId.ts"
import * as NodeId from "../../src/domain/NodeId.ts"
import { GrpcServer, layerServer } from "../../src/protocol/grpc/index.ts"
import {
  noPeers,
  NotResolvable,
  type PeerState,
  Replication,
  type Resolution,
  type SyncState,
} from "../../src/replication/index.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Topics from "../../src/topics/index.ts"
import { logState, peerState } from "../replication/states.ts"
import { millrace as program } from "../support/program.ts"
import { makeDirectory, run, start } from "./program.ts"

const cwd = makeDirectory()
const scope = Scope.makeUnsafe()
let url = ""

/** What the node says. */
let peers: ReadonlyArray<PeerState> = []
let states: ReadonlyArray<SyncState> = []
const asked: Array<string> = []
let resolution: Resolution | undefined

const replication: Replication["Service"] = {
  ...noPeers,
  peers: Effect.sync(() => peers),
  states: Effect.sync(() => states),
  resolve: (log, keep, peer) => {
    asked.push([LogId.format(log), keep, ...(peer === undefined ? [] : [peer])].join(" "))
    return resolution === undefined
      ? Effect.fail(new NotResolvable({ reason: "not quarantined", message: "the log is not quarantined" }))
      : Effect.succeed({ ...resolution, log, keep })
  },
}

beforeAll(async () => {
  const server = layerServer({ host: "127.0.0.1", port: 0 }).pipe(
    Layer.provide(Topics.layer),
    Layer.provide(Memory.layer({ node: { tenant: "t", line: "l", device: "here" } })),
    Layer.provide(Layer.succeed(Replication, replication)),
  )
  const services = await Effect.runPromise(Layer.buildWithScope(server, scope))
  url = Context.get(services, GrpcServer).url
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
beforeEach(() => {
  peers = []
  states = []
  asked.length = 0
  resolution = undefined
})

const millrace = (...args: ReadonlyArray<string>) => run([...args, "--url", url], { cwd })

const orders = { topic: "orders", origin: { tenant: "t", line: "l", device: "there" } }
const name = LogId.format(orders)
const quarantined = (peer: string): SyncState =>
  logState({
    peer,
    log: orders,
    localHead: 200,
    remoteHead: 210,
    failures: 1,
    lastError: "other content",
    quarantine: { offset: 200, since: 1, isKept: false },
  })
const inConflict = peerState({ behind: 10, logsFailing: 1, logsQuarantined: 1 })

describe("sync status", () => {
  it("ends well where there are no peers, or where all are in step or on the way", async () => {
    const none = await millrace("sync", "status")
    expect([none.code, none.stderr]).toEqual([0, ""])
    expect(none.stdout).toBe("t/l/here has no peers: it gets nothing from other nodes (see millrace serve --peer)\n")
    peers = [peerState(), peerState({ peer: "grpc://b:1", behind: 7, isSyncing: true })]
    const some = await millrace("sync", "status")
    expect([some.code, some.stderr]).toEqual([0, ""])
    expect(some.stdout).toMatch(/^PEER .*\ngrpc:\/\/a:1 .* in step .*\ngrpc:\/\/b:1 .* syncing +7 .*\n$/)
  })

  it("ends with 1 where somebody has to look after a peer, and prints objects all the same", async () => {
    peers = [inConflict, peerState({ peer: "grpc://b:1" })]
    states = [quarantined("grpc://a:1"), logState({ peer: "grpc://b:1" })]
    const found = await millrace("sync", "status", "--json")
    expect([found.code, found.stderr]).toEqual([1, "millrace: something is wrong with grpc://a:1\n"])
    const objects = found.stdout.split("\n").slice(0, -1)
    expect(objects.map((line): unknown => JSON.parse(line))).toMatchObject([
      { kind: "peer", peer: "grpc://a:1", state: "in conflict" },
      { kind: "peer", peer: "grpc://b:1", state: "in step" },
      {
        kind: "log",
        peer: "grpc://a:1",
        topic: "orders",
        origin: NodeId.format(orders.origin),
        quarantine: { offset: 200 },
      },
    ])
    const other = await millrace("sync", "status", "--all", "--peer", "grpc://b:1", "--topic", "ord+/#")
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('not as in "ord+"')])
  })

  it("waits with --watch until all are in step, and tells what fails meanwhile", async () => {
    const gone = { failures: 2, failingSince: 1000, lastError: "nobody there" }
    peers = [peerState({ ...gone, behind: 5 })]
    const watching = start(["sync", "status", "--watch", "--url", url], { cwd })
    await watching.until(({ stderr }) => stderr.includes("\n"))
    expect(watching.stderr).toBe("peer grpc://a:1 has been failing since 1970-01-01T00:00:01.000Z: nobody there\n")
    expect(watching.stdout).toBe("")
    peers = [peerState()]
    const watched = await watching.ended
    expect([watched.code, watched.stdout]).toEqual([0, expect.stringMatching(/ in step /)])
  })

  it("says what is wrong with how it was called", async () => {
    const socket = await run(["sync", "status", "--url", "unix:/nowhere"], { cwd })
    expect([socket.code, socket.stdout, socket.stderr]).toEqual([
      2,
      "",
      "millrace: peers are asked about over gRPC, not over a socket: give --url grpc://HOST:PORT\n",
    ])
    const nobody = await millrace("sync", "status", "--peer", "grpc://x:1")
    expect([nobody.code, nobody.stderr]).toEqual([2, 'millrace: t/l/here has no peer "grpc://x:1": it has none\n'])
  })
})

describe("doctor resolve", () => {
  it("says what was done", async () => {
    peers = [inConflict]
    resolution = {
      log: orders,
      keep: "local",
      peers: ["grpc://a:1"],
      differedFrom: undefined,
      discarded: 0,
      accepted: 0,
      head: 200,
    }
    const kept = await millrace("doctor", "resolve", name, "--keep", "local")
    expect([kept.code, kept.stderr]).toEqual([0, ""])
    expect(kept.stdout).toBe("orders@t/l/there: kept what is here; what grpc://a:1 has is not taken\n")
    resolution = { ...resolution, differedFrom: 150, discarded: 51, accepted: 61, head: 210 }
    const taken = await millrace("doctor", "resolve", name, "--keep", "peer", "--yes", "--peer", "grpc://a:1")
    expect([taken.code, taken.stderr]).toEqual([0, ""])
    expect(taken.stdout).toBe(
      "orders@t/l/there: threw away 51 messages, from offset 150 on; took 61 messages of grpc://a:1, up to offset 210\n",
    )
    expect(asked).toEqual([`${name} local`, `${name} peer grpc://a:1`])
  })

  it("throws nothing away that nobody has said yes to", async () => {
    peers = [inConflict]
    states = [quarantined("grpc://a:1")]
    const { code, stderr } = await millrace("doctor", "resolve", name, "--keep", "peer")
    const sentence = "millrace: this would throw away up to 200 messages here: say --yes if that is meant\n"
    expect([code, stderr]).toEqual([2, sentence])
    expect(asked).toEqual([])
  })

  it("says what is wrong, in one sentence", async () => {
    const nothing = await millrace("doctor", "resolve", name, "--keep", "local")
    expect([nothing.code, nothing.stderr]).toEqual([1, "millrace: the log is not quarantined\n"])
    const nobody = await run(["doctor", "resolve", name, "--keep", "local", "--url", "grpc://127.0.0.1:1"], { cwd })
    expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringMatching(/^millrace: no node answers at [^\n]*\n$/)])
    const log = await millrace("doctor", "resolve", "orders", "--keep", "local")
    expect([log.code, log.stderr]).toEqual([
      2,
      'millrace: a log is written topic@tenant/line/device, as heads prints it, not "orders"\n',
    ])
  })
})

/** What a person at a terminal sees, who answers a question as soon as it is asked. */
const atTerminal = async (args: ReadonlyArray<string>, onText: (text: string) => string | undefined) => {
  const words = [process.execPath, program, ...args, "--url", url].map(shellWord)
  const terminal = spawn("script", ["--quiet", "--return", "--command", words.join(" "), "/dev/null"], { cwd })
  let text = ""
  terminal.stdout.on("data", (piece: Buffer) => {
    text += piece.toString("utf8")
    const answer = onText(text)
    if (answer !== undefined) terminal.stdin.write(`${answer}\n`)
  })
  const [code] = (await once(terminal, "close")) as [number]
  return { code, text }
}

const hasTerminals = process.env["CI"] === "true" || spawnSync("script", ["--version"]).error === undefined

describe.skipIf(!hasTerminals)("at a terminal", () => {
  it("a large backlog is shown while it is on its way, and then how things stand", async () => {
    peers = [peerState({ behind: 100_000, isSyncing: true })]
    const { code, text } = await atTerminal(["sync", "status"], (seen) => {
      if (seen.includes("fetched"))
        peers = [peerState({ behind: seen.includes(" 75% ") ? 0 : 25_000, isSyncing: true })]
      return undefined
    })
    expect(code).toBe(0)
    expect(text).toMatch(/fetched \[█{18}░{6}\] 75% · 75,000 of 100,000 · [\s\S]*PEER .*\r\n.* in step /)
  })

  it.each([
    ["n", 1, "nothing was changed"],
    ["y", 0, "threw away 51 messages"],
  ])("what would be thrown away is asked about: %s", async (answer, exitCode, said) => {
    peers = [inConflict]
    states = [quarantined("grpc://a:1")]
    const done = { differedFrom: 150, discarded: 51, accepted: 61, head: 210 }
    resolution = { ...done, log: orders, keep: "peer", peers: ["grpc://a:1"] }
    let isAnswered = false
    const { code, text } = await atTerminal(["doctor", "resolve", name, "--keep", "peer"], (seen) => {
      if (isAnswered || !seen.includes("[y/N]")) return undefined
      isAnswered = true
      return answer
    })
    expect(text).toContain(
      `Throw away up to 200 messages of ${name} here, from the first one on that differs (at offset 200`,
    )
    expect([code, asked]).toEqual([exitCode, exitCode === 0 ? [`${name} peer`] : []])
    expect(text).toContain(said)
  })
})
