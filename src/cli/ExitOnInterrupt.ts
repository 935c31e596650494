/**
 * What it means for a command to be interrupted: for most, that its work was not done (exit code 130); for those that
 * go on until they are told to stop, its proper end (exit code 0).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** How the program ends when the running command is interrupted. The command itself decides, when it starts. */
export class ExitOnInterrupt extends Context.Service<ExitOnInterrupt, { exitCode: number }>()(
  "millrace/cli/ExitOnInterrupt",
) {
  /** Runs an effect for which an interruption is the proper end. */
  static readonly cleanly = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | ExitOnInterrupt> =>
    Effect.flatMap(ExitOnInterrupt, (exit) => {
      exit.exitCode = 0
      return effect
    })
}
