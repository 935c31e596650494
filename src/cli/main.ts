/**
 * The program: runs the command line that it was started with, and ends with an exit code.
 *
 * SIGINT and SIGTERM interrupt the command, which closes whatever it holds; a second one ends the program at once.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { Command } from "effect/cli"
import { root } from "./commands.ts"
import * as Environment from "./environment.ts"
import { ExitOnInterrupt } from "./ExitOnInterrupt.ts"
import * as Failure from "./failure.ts"
import * as Output from "./io/Output.ts"
import { readVersion } from "../node/version.ts"

/** Signals of one Ctrl-C may come twice, from the terminal and from a parent that passes them on. */
const echoMillis = 500
/** How long the reader of our output has to take the last of it. */
const flushMillisMax = 5000

const exitOnInterrupt = { exitCode: 130 }

const end = async (exitCode: number): Promise<never> => {
  setTimeout(() => process.exit(exitCode), flushMillisMax)
  await Output.flushed()
  process.exit(exitCode)
}

const finish = (exit: Exit.Exit<void, unknown>): void => {
  if (Exit.isSuccess(exit)) return void end(0)
  if (Cause.hasInterruptsOnly(exit.cause)) return void end(exitOnInterrupt.exitCode)
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (error instanceof Output.OutputClosed) return void end(0)
  const failure = Option.getOrUndefined(Failure.describe(exit.cause))
  if (failure === undefined) return void end(0)
  process.stderr.write(`millrace: ${failure.sentence}\n`)
  void end(failure.exitCode)
}

const program = Effect.suspend(() => Command.runWith(root, { version: readVersion() })(process.argv.slice(2))).pipe(
  Effect.provide(Environment.layer),
  Effect.provideService(ExitOnInterrupt, exitOnInterrupt),
)

const fiber = Effect.runFork(program)
fiber.addObserver(finish)

let interruptedAt: number | undefined
const interrupt = (signal: NodeJS.Signals): void => {
  const now = performance.now()
  if (interruptedAt === undefined) {
    interruptedAt = now
    fiber.interruptUnsafe()
  } else if (now - interruptedAt > echoMillis) {
    process.exit(signal === "SIGINT" ? 130 : 143)
  }
}
process.on("SIGINT", interrupt)
process.on("SIGTERM", interrupt)
