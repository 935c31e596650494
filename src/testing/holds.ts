/**
 * Whether a law holds: runs its random programs, and tells of the smallest that breaks it.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"

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

/** Checks a law, whose property throws with what is wrong. Each is about a program, which is a list of steps. */
export const holds = <Program extends ReadonlyArray<unknown>>(
  law: string,
  property: fc.IAsyncProperty<[Program]>,
  options: LawOptions,
): Effect.Effect<void, LawBroken> =>
  Effect.gen(function* () {
    const result = yield* Effect.promise(() =>
      fc.check(property, {
        numRuns: options.runs ?? 100,
        endOnFailure: options.shrink === false,
        ...(options.seed !== undefined && { seed: options.seed }),
      }),
    )
    if (!result.failed) return
    return yield* new LawBroken({ law, seed: result.seed, message: describe(law, result) })
  })

const describe = <Program extends ReadonlyArray<unknown>>(law: string, result: fc.RunDetails<[Program]>): string => {
  const reason = result.errorInstance instanceof Error ? result.errorInstance.message : String(result.errorInstance)
  const steps = (result.counterexample?.[0] ?? []).map((step) => `    ${JSON.stringify(step)}`).join("\n")
  return `${law} does not hold (seed ${result.seed}, after ${result.numRuns} programs):\n  ${reason}\n  in the program\n${steps}`
}
