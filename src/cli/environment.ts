/**
 * What effect/cli asks of its surroundings. Our commands take no files and ask no questions, so hardly anything: this
 * stands in for the platform package, whose loading would cost more time than all the rest of a command.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"
import { CliConfig, CliOutput, GlobalFlag } from "effect/cli"
import { ChildProcessSpawner } from "effect/process"
import * as Output from "./io/Output.ts"

const unused = Effect.die("not part of this program")

const terminal = Terminal.make({
  columns: Effect.sync(() => process.stdout.columns ?? 80),
  rows: Effect.sync(() => process.stdout.rows ?? 24),
  size: unused,
  readInput: unused,
  readLine: unused,
  display: (text) => Effect.ignore(Output.write(text)),
})

const formatter = CliOutput.defaultFormatter({ colors: false })

/** Help and version go to stdout; what is wrong with a command line is said by `failure`. */
const presenter: CliOutput.Presenter = {
  present: (event) => {
    switch (event._tag) {
      case "Help":
        return Effect.ignore(Output.write(`${formatter.formatHelpDoc(event.helpDoc)}\n`))
      case "Version":
        return Effect.ignore(Output.write(`${event.version}\n`))
      case "InvalidInvocation":
        return Effect.void
    }
  },
}

export const layer = Layer.mergeAll(
  FileSystem.layerNoop({}),
  Path.layer,
  Stdio.layerTest({}),
  Layer.succeed(Terminal.Terminal, terminal),
  Layer.succeed(
    ChildProcessSpawner.ChildProcessSpawner,
    ChildProcessSpawner.make(() => unused),
  ),
  CliOutput.layerPresenter(presenter),
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] }),
)
