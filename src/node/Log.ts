/**
 * A node's log, on stderr: for people (`pretty`) or for programs (`json`), from a level on.
 */
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { jsonLogger } from "./jsonLog.ts"
import type { NodeConfig } from "./NodeConfig.ts"

const levels = { trace: "Trace", debug: "Debug", info: "Info", warn: "Warn", error: "Error", none: "None" } as const

export const layer = (config: NodeConfig): Layer.Layer<never> => {
  const logger =
    config.log === "json"
      ? Logger.layer([Logger.withConsoleError(jsonLogger)])
      : Layer.merge(
          Logger.layer([Logger.consolePretty({ colors: process.stderr.isTTY })]),
          Layer.succeed(Logger.LogToStderr, true),
        )
  return Layer.merge(logger, Layer.succeed(References.MinimumLogLevel, levels[config["log-level"]]))
}
