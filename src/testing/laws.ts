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
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { type Fault, check, faults, format } from "./history.ts"
import { type Program, programs } from "./program.ts"
import { run, type World } from "./run.ts"

export interface LawOptions {
  /** How many programs. By default 100. */
  readonly runs?: number | undefined
  /** For the same programs as another time; by default others each time. */
  readonly seed?: number | undefined
  /** How long programs are at most, in steps. By default 16. */
  readonly stepsMax?: number | undefined
  /** How many nodes a world has that is made anew for each program. By default one. */
  readonly nodes?: number | undefined
  /** Whether to look for a smaller program when one breaks the law. By default true. */
  readonly shrink?: boolean | undefined
}

/** A program broke a law. The message tells which, how, and with which seed. */
export class LawBroken extends Schema.TaggedError<LawBroken>("millrace/testing/LawBroken")("LawBroken", {
  law: Schema.String,
  seed: Schema.Int,
  message: Schema.String,
}) {}

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
      const result = yield* Effect.promise(() =>
        fc.check(property, {
          numRuns: options.runs ?? 100,
          endOnFailure: options.shrink === false,
          ...(options.seed !== undefined && { seed: options.seed }),
        }),
      )
      if (!result.failed) return
      return yield* new LawBroken({ law: name, seed: result.seed, message: describe(name, result) })
    })

const describe = (name: string, result: fc.RunDetails<[Program]>): string => {
  const reason = result.errorInstance instanceof Error ? result.errorInstance.message : String(result.errorInstance)
  const [program = []] = result.counterexample ?? []
  const steps = program.map((step) => `    ${JSON.stringify(step)}`).join("\n")
  return `${name} does not hold (seed ${result.seed}, after ${result.numRuns} programs):\n  ${reason}\n  in the program\n${steps}`
}

/** I2: the offsets of a log are 1, 2, 3 … up to its head, whatever is deleted; nothing acknowledged is missing. */
export const contiguousOffsets = law("I2, contiguous offsets", ["gap", "duplicate", "lost", "undone"])

/** I3: the order of offsets is the order of commits, and every subscriber sees it. */
export const oneOrder = law("I3, one order", ["reordered", "divergent"])

/** I4: a subscription gets each offset from its start on exactly once, across replay, live, lag and restart. */
export const exactlyOnce = law("I4, exactly once", ["gap", "duplicate", "reordered", "stuck", "phantom"])

/** I2, I3 and I4, and that failed writes leave no trace (I8), in one go. */
export const ordering = law("ordering", faults)
