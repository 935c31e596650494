/**
 * `serve`: runs a node until it is told to stop.
 */
import module from "node:module"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as ConfigSources from "../node/ConfigSources.ts"
import * as Node from "../node/Node.ts"
import type { NodeConfig, SettingName } from "../node/NodeConfig.ts"
import { readyJson, readyLine, RunningNode } from "../node/RunningNode.ts"
import * as Telemetry from "../node/Telemetry.ts"
import * as Output from "./Output.ts"

export interface ServeInput {
  readonly flags: Readonly<Partial<Record<SettingName | "config", string>>>
  readonly printConfig: boolean
}

/** Beyond the drain time: for what a drained node still closes, its database above all. */
const closeMillisMax = 2000

const loggerLayer = (format: NodeConfig["log"]): Layer.Layer<never> =>
  format === "json"
    ? Logger.layer([Logger.withConsoleError(Logger.formatJson)])
    : Layer.merge(
        Logger.layer([Logger.consolePretty({ colors: process.stderr.isTTY })]),
        Layer.succeed(Logger.LogToStderr, true),
      )

const endOverdue = (): never => {
  process.stderr.write("millrace: work in flight did not end in time\n")
  process.exit(0)
}

/** Whatever holds up the closing of the node is cut off when its time is over. */
const boundClosing = (config: NodeConfig) =>
  Effect.addFinalizer(() =>
    Effect.andThen(
      Effect.logInfo("stopping"),
      Effect.sync(() => setTimeout(endOverdue, Duration.toMillis(config.drain) + closeMillisMax).unref()),
    ),
  )

const run = (config: NodeConfig) =>
  Effect.gen(function* () {
    const node = yield* RunningNode
    yield* boundClosing(config)
    yield* Output.write(`${config.json ? readyJson(node) : readyLine(node)}\n`)
    // Now, and not at the end: a node that is killed keeps what it compiled, too.
    yield* Effect.sync(() => module.flushCompileCache())
    return yield* Effect.never
  }).pipe(
    Effect.scoped,
    Effect.provide(Node.layer(config)),
    Effect.provide(Layer.provideMerge(Telemetry.layer(config, process.env), loggerLayer(config.log))),
  )

export const serve = Effect.fnUntraced(function* ({ flags, printConfig }: ServeInput) {
  const config = yield* ConfigSources.load({ flags, environment: process.env })
  if (printConfig) return yield* Output.write(`${ConfigSources.print(config)}\n`)
  // Databases, sockets and whatever else is made from here on is its owner's alone.
  process.umask(0o077)
  return yield* run(config)
})
