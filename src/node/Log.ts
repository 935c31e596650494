/**
 * A node's log, on stderr: for people (`pretty`) or for programs (`json`), from a level on. Passwords in URLs are hidden.
 */
import { formatWithOptions } from "node:util"
import * as Console from "effect/Console"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { jsonLogger } from "./jsonLog.ts"
import type { NodeConfig } from "./NodeConfig.ts"
import { redact } from "./StorageSetting.ts"

const levels = { trace: "Trace", debug: "Debug", info: "Info", warn: "Warn", error: "Error", none: "None" } as const

/** What the pretty logger writes to. */
const redactingConsole: Console.Console = {
  ...globalThis.console,
  error: (...parts: ReadonlyArray<unknown>) => {
    const text = formatWithOptions({ colors: process.stderr.isTTY }, ...parts)
    process.stderr.write(`${redact(text)}\n`)
  },
}

export const layer = (config: NodeConfig): Layer.Layer<never> => {
  const logger =
    config.log === "json"
      ? Logger.layer([Logger.withConsoleError(jsonLogger)])
      : Layer.merge(
          Logger.layer([Logger.consolePretty({ colors: process.stderr.isTTY })]),
          Layer.mergeAll(Layer.succeed(Logger.LogToStderr, true), Layer.succeed(Console.Console, redactingConsole)),
        )
  return Layer.merge(logger, Layer.succeed(References.MinimumLogLevel, levels[config["log-level"]]))
}
