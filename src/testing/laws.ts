/**
 * The ordering laws, to be run against any layer that provides `Topics`: an application's own storage, its own
 * decorators around the service, or a node elsewhere.
 *
 * Each law runs random programs (see `program`) against topics that it builds from the layer, writes their history, and
 * lets the history checker look for the faults that break it. A broken law names the smallest program found that
 * breaks it and the seed that finds it again.
 *
 * A world that is a function is made anew for each program; otherwise all programs share one store, where each has
 * topics of its own.
 *
 * ```ts
 * it.live("keeps the order", () => Laws.ordering({ layer: MyTopics.layer }))
 * ```
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fc from "fast-check"
import { type Fault, check, faults, format } from "./history.ts"
import { holds, type LawBroken, type LawOptions } from "./holds.ts"
import { programs } from "./program.ts"
import { run, type World } from "./run.ts"

export { LawBroken, type LawOptions } from "./holds.ts"

/** A law is broken by these faults. */
const law =
  (name: string, breaking: ReadonlyArray<Fault>) =>
  <E, R>(world: World<E, R> | (() => World<E, R>), options: LawOptions = {}): Effect.Effect<void, LawBroken> =>
    Effect.gen(function* () {
      const services = yield* Effect.context()
      const runProgram = Effect.runPromiseExitWith(services)
      const nodes = typeof world === "function" ? options.nodes : 1 + (world.others?.length ?? 0)
      const property = fc.asyncProperty(programs(options.stepsMax, nodes), async (program) => {
        const exit = await runProgram(run(program, typeof world === "function" ? world() : world))
        if (Exit.isFailure(exit)) throw new Error(`the program could not be run: ${Cause.pretty(exit.cause)}`)
        const verdict = check(exit.value)
        if (breaking.some((fault) => verdict.counts[fault] > 0)) throw new Error(format(verdict))
      })
      return yield* holds(name, property, options)
    })

/** I2: the offsets of a log are 1, 2, 3 … up to its head, whatever is deleted; nothing acknowledged is missing. */
export const contiguousOffsets = law("I2, contiguous offsets", ["gap", "duplicate", "lost", "undone"])

/** I3: the order of offsets is the order of commits, and every subscriber sees it. */
export const oneOrder = law("I3, one order", ["reordered", "divergent"])

/** I4: a subscription gets each offset from its start on exactly once, across replay, live, lag and restart. */
export const exactlyOnce = law("I4, exactly once", ["gap", "duplicate", "reordered", "stuck", "phantom"])

/** I2, I3 and I4, and that failed writes leave no trace (I8), in one go. */
export const ordering = law("ordering", faults)
