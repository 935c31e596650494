/**
 * Peers that lie over a real socket, all at once, to one real daemon: its logs stay as they are, byte for byte, its memory
 * is bounded, the state says of each log or peer what is wrong with it, and what is true is taken, during and afterwards.
 */
import { readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as NodeId from "../../src/domain/NodeId.ts"
import * as Daemon from "../crash/Daemon.ts"
import * as Fleet from "../crash/Fleet.ts"
import * as MsgbusClient from "../interop/MsgbusClient.ts"
import { Liar, listen } from "./Liar.ts"
import { type Lie, msgbusLies } from "./msgbusLies.ts"
import { syncLies } from "./syncLies.ts"

const victim: NodeId.NodeId = { tenant: "acme", line: "press", device: "victim" }

/** Of each log, before the lies and when all is well again. */
const heads = { before: 5, after: 12 }

/** What a state says of a log of a peer. */
interface LogState {
  readonly peer: string
  readonly topic: string
  readonly consecutive_failures: number
  readonly last_error: string
}

interface NamedLie extends Lie {
  readonly name: string
  readonly isMillrace: boolean
}

const allLies: ReadonlyArray<NamedLie> = [
  ...msgbusLies.map((lie, i) => ({ ...lie, name: `msgbus-${i + 1}`, isMillrace: false })),
  ...syncLies.map((lie, i) => ({ ...lie, name: `millrace-${i + 1}`, isMillrace: true })),
]

const lookEveryMillis = 200
const patienceMillis = 90_000

/** More than a daemon needs that is not lied to, by far, and less than any of the endless answers would take. */
const memoryMibMax = 1024

const isThere = <A>(look: Effect.Effect<A>, is: (found: A) => boolean): Effect.Effect<A> =>
  Effect.repeat(Effect.delay(look, lookEveryMillis), { until: is }).pipe(
    Effect.timeoutOrElse({ duration: patienceMillis, orElse: () => look }),
  )

/** The most memory that a process has had, in MiB. */
const memoryMibOf = (pid: number): number =>
  Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024

interface Outcome {
  readonly urls: ReadonlyMap<string, Liar>
  /** The names of the lies of which was said what should be. */
  readonly noticed: ReadonlySet<string>
  readonly states: ReadonlyArray<LogState>
  /** What the daemon has said. */
  readonly said: string
  /** The logs that nobody has said a true word about in the meantime. */
  readonly before: Readonly<Record<string, Fleet.LogContent>>
  readonly during: Readonly<Record<string, Fleet.LogContent>>
  readonly headsDuring: ReadonlyMap<string, number>
  readonly headsAfter: ReadonlyMap<string, number>
  readonly memoryMib: number
}

const run = (lies: ReadonlyArray<NamedLie>, isRestarted: boolean): Effect.Effect<Outcome, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const liars = yield* Effect.forEach(lies, ({ isMillrace, lies: of, name }) =>
      listen(new Liar(name, victim, of, isMillrace)),
    )
    const peers = liars.flatMap(({ id, url }) => ["--peer", `${url}=${NodeId.format(id)}`])
    const daemon = yield* Daemon.make({
      flags: ["--node", NodeId.format(victim), "--busrt", "off", "--sync-interval", "200ms", ...peers],
    })
    yield* daemon.start
    const topics = yield* Fleet.connect(daemon.url)
    const client = yield* MsgbusClient.make(daemon.url.replace("grpc://", ""))
    for (let i = 1; i <= 20; i++) yield* topics.publish("mine", `mine ${i}`)
    yield* topics.deleteRange("mine", 3, 4)

    const headsNow = Effect.map(
      Effect.orDie(topics.heads),
      (all) => new Map(all.map(({ offset, topic }) => [topic, offset])),
    )
    const have = (found: ReadonlyMap<string, number>, wanted: ReadonlyArray<string>, head: number) =>
      wanted.every((topic) => found.get(topic) === head)
    const all = liars.flatMap(({ honestTopic, topic }) => [topic, honestTopic])
    yield* isThere(headsNow, (found) => have(found, all, heads.before))

    // Those whose logs go on in truth, as far as they are asked for them.
    const goingOn = new Set(
      liars.filter((_, i) => lies[i]!.ofOthers === true || lies[i]!.ofPeer === true).map(({ topic }) => topic),
    )
    const untouched = Effect.map(Fleet.contentOf({ topics }), (contents) =>
      Object.fromEntries(
        Object.entries(contents).filter(([log]) => {
          const [topic = ""] = log.split("@")
          return !topic.startsWith("honest/") && !goingOn.has(topic) && !log.startsWith("$msgbus.delete@acme/press/m")
        }),
      ),
    )
    const before = yield* untouched

    for (const [i, liar] of liars.entries()) {
      liar.head = heads.after
      liar.isLying = true
      // Who tells what moves is asked who it is, and what it has, when it is there again.
      if (lies[i]!.ofPeer === true && lies[i]!.isMillrace) liar.disconnect()
    }
    // Each is said at some time, and need not be the last that is said: a connection may be lost after that.
    const noticed = new Set<string>()
    let states: ReadonlyArray<LogState> = []
    const look = Effect.map(Effect.orDie(client.call("ListPeerSyncStates")), (answer) => {
      states = answer["states"] as ReadonlyArray<LogState>
      for (const [i, { url }] of liars.entries()) {
        if (isNoticed(lies[i]!, url, states, daemon.said())) noticed.add(lies[i]!.name)
      }
      return noticed.size
    })
    yield* isThere(look, (count) => count === lies.length)
    const honest = liars.filter((_, i) => lies[i]!.ofPeer !== true).map(({ honestTopic }) => honestTopic)
    const headsDuring = yield* isThere(headsNow, (found) => have(found, honest, heads.after))
    const during = yield* untouched
    const memoryMib = memoryMibOf(daemon.pid()!)
    const said = daemon.said()

    for (const liar of liars) liar.isLying = false
    // What had failed is tried at once by a daemon that is started anew; one that goes on has its patience.
    if (isRestarted) {
      expect(yield* daemon.stop).toEqual({ code: 0, signal: null })
      yield* daemon.start
    }
    const headsAfter = yield* isThere(headsNow, (found) => have(found, all, heads.after))
    expect(yield* daemon.stop).toEqual({ code: 0, signal: null })
    return {
      urls: new Map(liars.map((liar, i) => [lies[i]!.name, liar])),
      noticed,
      states,
      said,
      before,
      during,
      headsDuring,
      headsAfter,
      memoryMib,
    }
  })

/** Whether what should be is said of a lie: of a log in its state, of a peer in what the daemon says. */
const isNoticed = ({ ofPeer, says }: Lie, url: string, states: ReadonlyArray<LogState>, said: string): boolean => {
  if (says === undefined) return true
  const sentences = ofPeer
    ? said.split("\n").filter((line) => line.includes(`not in step with the peer ${url}:`))
    : states
        .filter(({ consecutive_failures, peer }) => peer === url && consecutive_failures > 0)
        .map(({ last_error }) => last_error)
  return sentences.some((sentence) => says.test(sentence))
}

const floods = allLies.filter(({ isFlood }) => isFlood === true)
const others = allLies.filter(({ isFlood }) => isFlood !== true)

const scope = Scope.makeUnsafe()
let outcomes: ReadonlyMap<ReadonlyArray<NamedLie>, Outcome>
beforeAll(async () => {
  // Both side by side: most of the time is spent waiting until somebody is asked again.
  const groups = [others, floods]
  const all = Effect.forEach(
    groups,
    (lies) => Effect.map(run(lies, lies === floods), (outcome) => [lies, outcome] as const),
    {
      concurrency: groups.length,
    },
  )
  outcomes = new Map(await Effect.runPromise(Scope.provide(all, scope)))
}, 400_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)), 30_000)

describe.each([
  ["lied to", others],
  ["flooded", floods],
] as const)("a daemon that is %s by all of its peers at once", (_, lies) => {
  let outcome: Outcome
  beforeAll(() => {
    outcome = outcomes.get(lies)!
  })

  it.each(lies)("notices a peer that $what ($name)", (lie) => {
    const { url } = outcome.urls.get(lie.name)!
    const { noticed, said, states } = outcome
    // What was said instead, where it is not what should be.
    const instead = [
      ...states.filter(({ peer }) => peer === url).map(({ last_error, topic }) => `${topic}: ${last_error}`),
      ...said.split("\n").filter((line) => line.includes(url)),
    ]
    expect(noticed.has(lie.name) ? "as it should be" : instead).toEqual("as it should be")
  })

  it("has its logs as before, byte for byte, but for what is true", () => {
    expect(outcome.during).toEqual(outcome.before)
  })

  it.each(lies)("takes what is true of a peer that $what ($name), meanwhile and afterwards", (lie) => {
    const { honestTopic, topic } = outcome.urls.get(lie.name)!
    if (lie.ofPeer !== true) expect(outcome.headsDuring.get(honestTopic)).toBe(heads.after)
    expect(outcome.headsAfter.get(honestTopic)).toBe(heads.after)
    expect(outcome.headsAfter.get(topic)).toBe(heads.after)
  })

  it("asks a peer for nothing that is not who it should be", () => {
    for (const { lies: of, name, what } of lies) {
      if (of.Health === undefined && of.Identify === undefined) continue
      // What moves is listened to at once, and not looked at before it is known who tells.
      const asked = outcome.urls
        .get(name)!
        .askedAfterwards.filter((method) => !["Health", "Identify", "WatchHeads"].includes(method))
      expect([what, asked]).toEqual([what, []])
    }
  })

  it("keeps its memory bounded", () => {
    expect(outcome.memoryMib).toBeLessThan(memoryMibMax)
  })
})
