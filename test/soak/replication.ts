/**
 * `npm run soak -- replication --rounds N [--seed S] [--storages sqlite,lmdb,postgres] [--messages 100000]`: daemons that sync
 * with each other get 100,000 messages of each of several topics, and are killed under load, as in the crash tests, for
 * as many rounds as one likes. Without `--storages`: two and three on SQLite, then three on all storages that there are.
 */
import { parseArgs } from "node:util"
import { Effect, Redacted } from "effect"
import { examine } from "../../src/storage/postgres/index.ts"
import { faults } from "../../src/testing/history.ts"
import { findingsOf } from "../crash/kills.ts"
import type { MemberStorage } from "../crash/Fleet.ts"
import { replicationKills } from "../crash/replicationKills.ts"
import { deletedOf, volume } from "../crash/replicationVolume.ts"
import { makeServer } from "../support/postgresServer.ts"
import { wholeNumber } from "./kills.ts"
import { showProgress } from "./progress.ts"

const matrix = ["sqlite,sqlite", "sqlite,sqlite,sqlite", "sqlite,lmdb,postgres"]

const checkStorages = (names: ReadonlyArray<string>): void => {
  if (names.length < 2 || names.some((name) => !["sqlite", "lmdb", "postgres"].includes(name))) {
    throw new Error("--storages takes two or more of sqlite, lmdb and postgres, with commas between them")
  }
}

/** Where members keep things; a server is started where one is needed, and examined in the end. */
const places = (names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const server = names.includes("postgres") ? yield* makeServer() : undefined
    const urls = names.map((name, i) => (name === "postgres" ? server?.url(`member_${i + 1}`) : undefined))
    return {
      storages: names.map((name, i): MemberStorage => {
        const url = urls[i]
        return url === undefined ? (name === "lmdb" ? "lmdb" : "sqlite") : { postgres: Redacted.value(url) }
      }),
      examinations: Object.fromEntries(
        urls.flatMap((url, i) => (url === undefined ? [] : [[i, findingsOf(examine({ url }))]])),
      ),
    }
  })

/** Whether all have the same in the end. */
const runVolume = (names: ReadonlyArray<string>, messages: number) =>
  Effect.gen(function* () {
    const { storages } = yield* places(names)
    const topics = storages.map((_, i) => (i === 0 ? ["a", "b/c", "d"] : ["a"]))
    showProgress(`${names.join(", ")}: ${messages.toLocaleString("en")} messages of each log`)
    const began = performance.now()
    const contents = yield* volume({ storages, messages, topics })
    const logs = Object.entries(contents[0]!).filter(([log]) => !log.startsWith("$"))
    const isRight =
      contents.every((content) => JSON.stringify(content) === JSON.stringify(contents[0])) &&
      logs.length === topics.flat().length &&
      logs.every(([, { head, deleted }]) => head === messages && deleted === deletedOf(messages))
    showProgress("")
    const seconds = Math.round((performance.now() - began) / 1000)
    console.log(
      `${names.join(", ")}: ${logs.length} logs of ${messages} messages ${isRight ? "are equal" : "DIFFER"} at all, ${seconds} s`,
    )
    return isRight
  }).pipe(Effect.scoped)

const runKills = (names: ReadonlyArray<string>, rounds: number, seed: number) =>
  Effect.gen(function* () {
    const report = yield* replicationKills({
      ...(yield* places(names)),
      rounds,
      seed,
      onRound: (round, acknowledged) =>
        showProgress(`${names.join(", ")}: round ${round} of ${rounds}, ${acknowledged} acknowledged in it`),
    })
    showProgress("")
    const found = faults.map((fault) => {
      const count = report.verdicts.reduce((sum, { counts }) => sum + counts[fault], 0)
      return `${count} ${fault}`
    })
    const acknowledged = report.acknowledged.reduce((sum, messages) => sum + messages, 0)
    console.log(
      [
        `${names.join(", ")}: seed ${seed}`,
        `${report.kills} kills`,
        `${acknowledged} acknowledged`,
        `${report.unknown} unknown`,
        `${report.deletions} deletions`,
        ...found,
        `${report.corruption.length} corrupt`,
        `contents ${report.areEqual ? "equal" : "DIFFER"}`,
      ].join(", "),
    )
    for (const finding of [...report.verdicts.flatMap(({ findings }) => findings), ...report.corruption]) {
      console.error(finding)
    }
    return report.isClean
  }).pipe(Effect.scoped)

/** Gives whether everything was clean. */
export const run = async (args: ReadonlyArray<string>): Promise<boolean> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "50" },
      seed: { type: "string" },
      storages: { type: "string" },
      messages: { type: "string", default: "100000" },
    },
  })
  const rounds = wholeNumber("rounds", values.rounds)
  const messages = wholeNumber("messages", values.messages)
  const seed = values.seed === undefined ? 1 + Math.floor(Math.random() * 1e9) : wholeNumber("seed", values.seed)
  let isClean = true
  for (const names of (values.storages === undefined ? matrix : [values.storages]).map((text) => text.split(","))) {
    checkStorages(names)
    isClean = (await Effect.runPromise(runVolume(names, messages))) && isClean
    isClean = (await Effect.runPromise(runKills(names, rounds, seed))) && isClean
  }
  return isClean
}
