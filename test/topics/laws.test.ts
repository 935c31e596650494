/**
 * The ordering laws on every storage, and the bugs that they must find. `LAW_RUNS` sets how many programs each test
 * runs.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import type { LogStore } from "../../src/storage/LogStore.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Laws from "../../src/testing/laws.ts"
import { jittered } from "./jitter.ts"
import * as Planted from "./plantedBugs.ts"
import { worldOver } from "./world.ts"

const runs = Number(process.env["LAW_RUNS"] ?? 1000)

const memory = () => Memory.layer({ disk: Memory.makeDisk() })

describe("topics keep the laws (I2, I3, I4, I7, I8)", () => {
  it.live("in memory", () => Laws.ordering(() => worldOver(memory()), { runs }), 120_000)

  it.live(
    "in memory that takes its time",
    () => Laws.ordering(() => worldOver(jittered(memory(), 1)), { runs }),
    120_000,
  )
})

/** The suite as it is, over a bug: it must fail. */
const isFound = <E>(store: () => Layer.Layer<LogStore, E>, feed?: Parameters<typeof worldOver>[1]) =>
  Effect.gen(function* () {
    const world = () => ({ ...worldOver(store(), feed), patienceMillis: 500 })
    const broken = yield* Effect.flip(Laws.ordering(world, { runs: 2000, shrink: false }))
    expect(broken._tag).toBe("LawBroken")
    return broken
  })

describe("the laws find", () => {
  it.live("a subscription that joins the feed after its replay", () => isFound(memory, Planted.subscribeAfterReplay))
  it.live("a subscription that does not notice that it fell behind", () => isFound(memory, Planted.noLagDetection))
  it.live("an acknowledgement before the commit", () => isFound(() => Planted.ackBeforeCommit(memory())))
  it.live("offsets that are counted from the rows that are left", () =>
    isFound(() => Planted.offsetFromMaxRow(memory())),
  )
})
