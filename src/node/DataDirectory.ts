/**
 * The directory of a node: its database, its `endpoints.json`. Made where it is missing, for its owner alone.
 */
import { accessSync, constants, mkdirSync } from "node:fs"
import { resolve } from "node:path"
import { Effect } from "effect"
import { reasonOf, StartFailed } from "./StartFailed.ts"

/** The directory's absolute path, once it is there and can be written to. One that was there keeps its permissions. */
export const prepare = (data: string): Effect.Effect<string, StartFailed> =>
  Effect.try({
    try: () => {
      const path = resolve(data)
      mkdirSync(path, { recursive: true, mode: 0o700 })
      accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
      return path
    },
    catch: (cause) => new StartFailed({ message: `the data directory ${data} cannot be used: ${reasonOf(cause)}` }),
  })
