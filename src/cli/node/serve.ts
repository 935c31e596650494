/**
 * `serve`: runs a node until it is told to stop.
 */
import module from "node:module"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ConfigSources from "../../node/ConfigSources.ts"
import * as Log from "../../node/Log.ts"
import * as Node from "../../node/Node.ts"
import type { NodeConfig } from "../../node/NodeConfig.ts"
import * as ReadinessLog from "../../node/ReadinessLog.ts"
import { type NodeReport, readyJson, readyLine, RunningNode } from "../../node/RunningNode.ts"
import * as Telemetry from "../../node/Telemetry.ts"
import * as Output from "../io/Output.ts"
import { readVersion } from "../../node/version.ts"

export interface ServeInput {
  readonly flags: ConfigSources.ConfigSources["flags"]
  readonly printConfig: boolean
}

/** Beyond the drain time: for what a drained node still closes, its database above all. */
const closeMillisMax = 2000

const endOverdue = (): never => {
  process.stderr.write("millrace: work in flight did not end in time\n")
  process.exit(0)
}

/** Whatever holds up the closing of the node is cut off when its time is over. */
const boundClosing = (config: NodeConfig, stopping: () => void) =>
  Effect.addFinalizer(() =>
    Effect.andThen(
      Effect.logInfo("stopping"),
      Effect.sync(() => {
        stopping()
        setTimeout(endOverdue, Duration.toMillis(config.drain) + closeMillisMax).unref()
      }),
    ),
  )

const secondsSince = (millis: number): string => `${((performance.now() - millis) / 1000).toFixed(2)} s`

/** Tells the log that the node runs: where, on what, and how long it took. */
const tellStarted = (config: NodeConfig, node: NodeReport) => {
  const ready = Effect.logInfo(`ready in ${secondsSince(0)}`)
  // People have just read it all in the ready line.
  return config.log === "json"
    ? Effect.annotateLogs(ready, { version: readVersion(), pid: process.pid, ...node })
    : ready
}

const run = (config: NodeConfig) => {
  let stoppingSince: number | undefined
  const node = Effect.gen(function* () {
    const node = yield* RunningNode
    yield* boundClosing(config, () => {
      stoppingSince = performance.now()
    })
    yield* Output.write(`${config.json ? readyJson(node) : readyLine(node)}\n`)
    yield* tellStarted(config, node)
    yield* ReadinessLog.watch
    // Now, and not at the end: a node that is killed keeps what it compiled, too.
    yield* Effect.sync(() => module.flushCompileCache())
    return yield* Effect.never
  })
  return node.pipe(
    Effect.scoped,
    Effect.provide(Node.layer(config)),
    Effect.ensuring(
      Effect.suspend(() =>
        stoppingSince === undefined ? Effect.void : Effect.logInfo(`stopped in ${secondsSince(stoppingSince)}`),
      ),
    ),
    Effect.provide(Layer.provideMerge(Telemetry.layer(config, process.env), Log.layer(config))),
  )
}

export const serve = Effect.fnUntraced(function* ({ flags, printConfig }: ServeInput) {
  const config = yield* ConfigSources.load({ flags, environment: process.env })
  if (printConfig) return yield* Output.write(`${ConfigSources.print(config)}\n`)
  // Databases, sockets and whatever else is made from here on is its owner's alone.
  process.umask(0o077)
  return yield* run(config)
})
