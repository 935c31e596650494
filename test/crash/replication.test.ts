/**
 * I1, I2, I4 and I5 across daemons that sync with each other: what one acknowledged is at all of them in the end, the same
 * byte for byte, and what was deleted stays deleted, whoever is killed meanwhile. `npm run soak -- replication` does the same
 * for as long as one likes.
 */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Redacted } from "effect"
import * as LogId from "../../src/domain/LogId.ts"
import { examine } from "../../src/storage/postgres/index.ts"
import { format } from "../../src/testing/history.ts"
import { makeServer, skipsPostgres } from "../support/postgresServer.ts"
import * as Proxy from "../support/Proxy.ts"
import * as Fleet from "./Fleet.ts"
import { findingsOf } from "./kills.ts"
import { replicationKills, type ReplicationKillsReport } from "./replicationKills.ts"
import { pathTo } from "./Program.ts"
import { deletedOf, fill, logOf, untilHas, volume } from "./replicationVolume.ts"

const seed = 20
const planted = pathTo(import.meta.url, "./plantedPeer.ts")

const isFlawless = (report: ReplicationKillsReport, rounds: number): void => {
  for (const verdict of report.verdicts) {
    expect(format(verdict).split("\n")).toEqual([
      "0 lost, 0 duplicate, 0 gap, 0 reordered, 0 phantom, 0 divergent, 0 undone, 0 stuck",
    ])
  }
  const [first, ...others] = report.contents
  for (const other of others) expect(other).toEqual(first)
  expect(report.corruption).toEqual([])
  for (const ended of report.ended) expect(ended).toEqual({ code: 0, signal: null })
  // They were written to in each round, also at the moment of the kill.
  expect(report.acknowledged).toHaveLength(rounds)
  expect(Math.min(...report.acknowledged)).toBeGreaterThan(0)
  expect(report.unknown).toBeGreaterThan(0)
  expect(report.deletions).toBeGreaterThan(0)
}

describe("daemons that sync with each other", () => {
  it.live(
    "have the same 100,000 messages of each topic, and the same deletions, made before, during and after (I5)",
    () =>
      Effect.gen(function* () {
        const messages = 100_000
        const topics = [["orders"], ["items"]]
        const [first, ...others] = yield* volume({ storages: ["sqlite", "sqlite"], messages, topics })
        for (const other of others) expect(other).toEqual(first)
        for (const log of ["orders@acme/press/node-1", "items@acme/press/node-2"]) {
          expect(first![log]).toMatchObject({ head: messages, deleted: deletedOf(messages) })
        }
      }).pipe(Effect.scoped),
    240_000,
  )

  const rounds = 10
  const killed = "come to the same, and lose nothing that any of them acknowledged, whoever is killed (I1, I2, I4, I5)"

  it.live(
    `${killed}: SQLite`,
    () =>
      Effect.gen(function* () {
        isFlawless(yield* replicationKills({ storages: ["sqlite", "sqlite", "sqlite"], rounds, seed }), rounds)
      }),
    300_000,
  )

  it.live.skipIf(skipsPostgres)(
    `${killed}: SQLite, LMDB and PostgreSQL`,
    () =>
      Effect.gen(function* () {
        const server = yield* makeServer()
        const url = server.url("member")
        const report = yield* replicationKills({
          storages: ["sqlite", "lmdb", { postgres: Redacted.value(url) }],
          examinations: { 2: findingsOf(examine({ url })) },
          rounds,
          seed,
        })
        isFlawless(report, rounds)
      }).pipe(Effect.scoped),
    300_000,
  )
})

/**
 * The third has heard of a deletion when its source breaks off, before the messages that are deleted have come. It gets these
 * from the second, which has them and knows nothing of the deletion. Gives how many are deleted at each in the end.
 */
const deletedElsewhere = (script?: string) =>
  Effect.gen(function* () {
    const count = 10_000
    let proxy: Proxy.Proxy | undefined
    const fleet = yield* Fleet.make({
      storages: ["sqlite", "sqlite", "sqlite"],
      script,
      env: { PLANTED_BUG: "forgets tombstones" },
      via: (member, peer, port) =>
        member === 2 && peer === 0
          ? Effect.map(Proxy.make(port), (made) => {
              proxy = made
              return made.port
            })
          : Effect.succeed(port),
      // The second hears of it from the first alone, in the end.
      peersOf: (member) => [[], [0], [0, 1]][member]!,
    })
    const [first, second, third] = [fleet[0]!, fleet[1]!, fleet[2]!]
    yield* first.daemon.start
    yield* fill(first, "orders", count)
    yield* second.daemon.start
    yield* Fleet.converged([first, second])
    yield* second.daemon.kill
    yield* first.topics.deleteRange("orders", count / 2 + 1, count)
    proxy!.breakAfter(count * 15)
    yield* third.daemon.start
    yield* Effect.repeat(Effect.sleep(20), { until: () => proxy!.isBroken() })
    yield* first.daemon.kill
    const orders = logOf(first, "orders")
    const had = yield* third.topics.head("orders", orders.origin)
    // Otherwise nothing is left to come from the second.
    expect(had._tag === "None" ? 0 : had.value).toBeLessThan(count / 2)
    yield* untilHas(third, { topic: "$msgbus.delete", origin: first.id }, 1)
    yield* second.daemon.start
    yield* untilHas(third, orders, count)
    proxy!.refuse(false)
    yield* first.daemon.start
    yield* Fleet.converged(fleet)
    const contents = yield* Effect.forEach(fleet, (member) => Fleet.contentOf(member))
    return contents.map((content) => content[LogId.format(orders)]?.deleted)
  }).pipe(Effect.scoped)

describe("a deletion that is heard of before its messages come", () => {
  it.live(
    "holds for them too, whoever they come from (I5)",
    () => Effect.map(deletedElsewhere(), (deleted) => expect(deleted).toEqual([5000, 5000, 5000])),
    120_000,
  )

  it.live(
    "is missed by a daemon that forgets it",
    () => Effect.map(deletedElsewhere(planted), (deleted) => expect(deleted[2]).toBeLessThan(5000)),
    120_000,
  )
})

describe("the kills find a daemon that", () => {
  it.live.each(["counts first", "marks first"])(
    "%s",
    (bug) =>
      Effect.gen(function* () {
        // A kill finds it out only where a write was owed at that moment, so there are several attempts.
        let isFound = false
        for (let attempt = 0; attempt < 6 && !isFound; attempt++) {
          const options = { storages: ["sqlite", "sqlite"], rounds: 4, seed: seed + attempt, script: planted } as const
          const exit = yield* Effect.exit(
            replicationKills({ ...options, env: { PLANTED_BUG: bug }, patienceMillis: 10_000 }),
          )
          // Either what they have in the end differs, or they get no further than a gap.
          if (Exit.isSuccess(exit)) isFound = !exit.value.isClean
          else if (Cause.pretty(exit.cause).match(/the heads differ|nothing new came/)) isFound = true
          else return yield* Effect.failCause(exit.cause)
        }
        expect(isFound).toBe(true)
      }),
    300_000,
  )
})
