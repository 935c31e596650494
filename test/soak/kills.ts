/**
 * `npm run soak -- kills --rounds N [--seed S] [--storage sqlite|lmdb|postgres] [--victim node|server]`: the kills of the
 * crash tests for as many rounds as one likes; of the node, or of the server that its store is in.
 *
 * After so many rounds the store is read and checked and another one begun, so that neither it nor the history grows
 * without end.
 */
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { type Fault, faults } from "../../src/testing/history.ts"
import { kills, type KillsReport } from "../crash/kills.ts"
import { postgresKills } from "../crash/postgresKills.ts"
import { showProgress } from "./progress.ts"

const roundsPerStoreMax = 100

export const wholeNumber = (name: string, text: string): number => {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} takes a whole number from 1 on`)
  return value
}

const summary = (reports: ReadonlyArray<KillsReport>): string => {
  const sum = (count: (report: KillsReport) => number) =>
    reports.reduce((total, report) => total + count(report), 0).toLocaleString("en")
  const acknowledged = reports.flatMap((report) => report.acknowledged)
  const found = faults.map((fault: Fault) => `${sum(({ verdict }) => verdict.counts[fault])} ${fault}`)
  return [
    `${acknowledged.length} kills`,
    `${sum(({ killedStarting }) => killedStarting)} more while starting`,
    `${sum((report) => report.acknowledged.reduce((total, messages) => total + messages, 0))} acknowledged`,
    `at least ${Math.min(...acknowledged)} a round`,
    `${sum(({ unknown }) => unknown)} unknown`,
    `${sum(({ stored }) => stored)} stored`,
    ...found,
    `${sum(({ torn }) => torn)} torn`,
    `${sum(({ corruption }) => corruption.length)} corrupt`,
  ].join(", ")
}

/** Gives whether everything was clean. */
export const run = async (args: ReadonlyArray<string>): Promise<boolean> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "100" },
      seed: { type: "string" },
      storage: { type: "string", default: "sqlite" },
      victim: { type: "string", default: "node" },
    },
  })
  const { storage, victim } = values
  if (storage !== "sqlite" && storage !== "lmdb" && storage !== "postgres") {
    throw new Error("--storage takes sqlite, lmdb or postgres")
  }
  if (victim !== "node" && victim !== "server") throw new Error("--victim takes node or server")
  if (victim === "server" && storage !== "postgres") throw new Error("--victim server needs --storage postgres")
  const rounds = wholeNumber("rounds", values.rounds)
  const firstSeed = values.seed === undefined ? 1 + Math.floor(Math.random() * 1e9) : wholeNumber("seed", values.seed)
  const reports: Array<KillsReport> = []
  for (let done = 0; done < rounds; done += roundsPerStoreMax) {
    const seed = firstSeed + reports.length
    const begun = done
    const options = {
      rounds: Math.min(roundsPerStoreMax, rounds - done),
      seed,
      onRound: (round: number, acknowledged: number) =>
        showProgress(`kill ${begun + round} of ${rounds}, ${acknowledged} acknowledged before it`),
    }
    const report = await Effect.runPromise(
      storage === "postgres" ? postgresKills(victim, options) : kills({ ...options, storage }),
    )
    showProgress("")
    reports.push(report)
    if (!report.isClean) {
      for (const finding of [...report.verdict.findings, ...report.corruption]) console.error(finding)
    }
  }
  console.log(`seed ${firstSeed}: ${summary(reports)}`)
  return reports.every(({ isClean }) => isClean)
}
