/**
 * A disk whose syncs take long holds up commits, and nothing else.
 */
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Program from "../crash/Program.ts"
import { diskDirectory } from "../storage/temporaryDirectory.ts"
import * as FsyncFault from "./fsyncFault.ts"
import type { SlowFsyncReport } from "./slowFsyncApp.ts"

const loopDelayMillisMax = 10

const measure = (mode: "worker" | "loop") =>
  Effect.gen(function* () {
    const directory = yield* diskDirectory
    const { env } = yield* FsyncFault.make(directory)
    const app = Program.pathTo(import.meta.url, "./slowFsyncApp.ts")
    const { code, stdout, stderr } = yield* Program.run([app, mode, join(directory, "bus.sqlite")], { env })
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    const report: SlowFsyncReport = JSON.parse(stdout.toString("utf8"))
    return report
  })

describe.skipIf(FsyncFault.obstacle !== undefined)("while each sync takes 50 ms longer", () => {
  it.live(
    "the event loop is free, and what is committed is delivered",
    () =>
      Effect.gen(function* () {
        const report = yield* measure("worker")
        expect(report.publishMillisMin).toBeGreaterThanOrEqual(report.delayMillis)
        expect(Math.min(...report.loopDelayMillisP99)).toBeLessThan(loopDelayMillisMax)
        expect(report.acknowledged).toBeGreaterThan(0)
        expect(report.live).toBe(report.acknowledged)
        expect(report.replays).toBeGreaterThan(0)
        expect(report.whileHanging).toEqual({ replayed: report.storedMessages, wasAcknowledged: false, live: 0 })
      }),
    60_000,
  )

  it.live(
    "the event loop is not free where the store works on it",
    () =>
      Effect.gen(function* () {
        const report = yield* measure("loop")
        expect(report.publishMillisMin).toBeGreaterThanOrEqual(report.delayMillis)
        expect(Math.min(...report.loopDelayMillisP99)).toBeGreaterThan(loopDelayMillisMax)
      }),
    60_000,
  )
})
