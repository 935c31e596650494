/**
 * I1 and I8 on a disk that fails: each of the first calls that write or sync the database's files, once and for good,
 * under a load of publishes, deletions, enqueues and acknowledgements. `npm run soak -- eio` goes through more of them.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { type EioCase, type EioOutcome, isClean, runCases, sweep } from "./eioFault.ts"
import * as FsyncFault from "./fsyncFault.ts"

const calls = 40

const check = (outcomes: ReadonlyArray<EioOutcome>): void => {
  const wrong = outcomes.filter((outcome) => !isClean(outcome))
  expect(wrong.map((outcome) => JSON.stringify(outcome))).toEqual([])
}

describe.skipIf(FsyncFault.obstacle !== undefined)("a store whose disk fails with EIO", () => {
  it.live(
    "writes no more, and has neither lost anything nor kept what failed when it is opened anew",
    () =>
      Effect.gen(function* () {
        const outcomes = yield* runCases(sweep(calls, { when: "load", how: "stays down" }))
        check(outcomes)
        // The last calls come when it is closed: there are fewer under load.
        expect(outcomes.filter(({ hasFailed }) => hasFailed).length).toBeGreaterThan(2 * calls)
        expect(outcomes.filter(({ injected }) => injected > 0).length).toBeGreaterThan(3 * calls)
        expect(outcomes.filter(({ unknown }) => unknown > 0).length).toBeGreaterThan(2 * calls)
      }).pipe(Effect.scoped),
    120_000,
  )

  it.live(
    "opens itself again when it may, and its subscribers get each message once",
    () =>
      Effect.gen(function* () {
        const onLoop = yield* runCases(sweep(10, { when: "load", how: "comes back" }))
        const inThreads = yield* runCases(sweep(1, { when: "load", how: "comes back in threads" }))
        check([...onLoop, ...inThreads])
        expect(onLoop.every(({ hasFailed }) => hasFailed)).toBe(true)
        expect(inThreads.every(({ hasFailed }) => hasFailed)).toBe(true)
      }).pipe(Effect.scoped),
    120_000,
  )

  it.live(
    "while it is being opened, is opened or not, and whole either way",
    () =>
      Effect.gen(function* () {
        const outcomes = yield* runCases(sweep(8, { when: "opening", how: "stays down" }))
        check(outcomes)
        expect(outcomes.every(({ injected }) => injected > 0)).toBe(true)
      }).pipe(Effect.scoped),
    120_000,
  )

  it.live(
    "does all of that on LMDB too, where a sync fails",
    () =>
      Effect.gen(function* () {
        const syncs = (calls: number, how: EioCase["how"]) =>
          sweep(calls, { backend: "lmdb", when: "load", how }).filter(({ kind }) => kind === "sync")
        const outcomes = yield* runCases([
          ...syncs(6, "stays down"),
          ...syncs(3, "comes back"),
          ...syncs(1, "comes back in threads"),
        ])
        check(outcomes)
        expect(outcomes.every(({ hasFailed, unknown }) => hasFailed && unknown > 0)).toBe(true)
      }).pipe(Effect.scoped),
    120_000,
  )

  it.live(
    "is found out where it calls failed what is unknown, or acknowledges what failed",
    () =>
      Effect.gen(function* () {
        const failed = yield* runCases(
          sweep(4, { when: "load", how: "stays down", planted: "unknown is failed" }).filter(
            ({ kind }) => kind === "sync",
          ),
        )
        expect(failed.filter(({ verdict }) => !verdict.includes(" 0 phantom")).length).toBeGreaterThan(0)
        const acknowledged = yield* runCases(
          sweep(4, { when: "load", how: "stays down", planted: "always ok" }).filter(({ kind }) => kind === "write"),
        )
        expect(acknowledged.filter(({ verdict }) => !verdict.startsWith("0 lost")).length).toBeGreaterThan(0)
      }).pipe(Effect.scoped),
    120_000,
  )
})
