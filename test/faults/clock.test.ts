/**
 * The machine's clock is set by hours, forwards and backwards, while a node and its clients run: nothing hangs, is lost,
 * comes twice or too early, or is forgotten.
 */
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Program from "../crash/Program.ts"
import { diskDirectory } from "../storage/temporaryDirectory.ts"
import type { ClockReport } from "./clockApp.ts"
import { compiler, obstacle } from "./fsyncFault.ts"

describe.skipIf(obstacle !== undefined)("a clock that is set by hours", () => {
  it.live(
    "is a matter of creation times alone",
    () =>
      Effect.gen(function* () {
        const directory = yield* diskDirectory
        const library = join(directory, "clock.so")
        const control = join(directory, "clock")
        const source = Program.pathTo(import.meta.url, "./shim/clock.c")
        execFileSync(compiler!, ["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"])
        writeFileSync(control, Buffer.alloc(8))
        const app = Program.pathTo(import.meta.url, "./clockApp.ts")
        const { code, stdout, stderr } = yield* Program.run([app, join(directory, "data")], {
          env: { LD_PRELOAD: library, CLOCK_CONTROL: control },
        })
        expect(code, stderr).toBe(0)
        const report: ClockReport = JSON.parse(stdout.toString("utf8"))
        expect(report.jumps).toEqual([3, -2, 26, 0])
        expect(report.createdInHours).toEqual(report.jumps)
        expect(report.repeated).toEqual([true, true, true, true])
        expect(report.seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
        const twice = (item: string) => [item, item]
        expect(report.taken).toEqual(
          [0, 1, 2, 3].flatMap((number) => [...twice(`item ${number}`), ...twice(`later ${number}`)]),
        )
        expect(report.backoffMillis).toHaveLength(8)
        expect(Math.min(...report.backoffMillis)).toBeGreaterThanOrEqual(299)
        // Hours would be a hundred times more than that.
        expect(report.slowestMillis).toBeLessThan(20_000)
        expect(report.notReady.filter((reason) => reason !== "starting")).toEqual([])
      }),
    60_000,
  )
})
