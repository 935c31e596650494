/**
 * The directory of a node: its `endpoints.json`, and its store unless that is elsewhere. Made where it is missing, for its
 * owner alone.
 */
import { accessSync, constants, existsSync, mkdirSync, statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import * as Effect from "effect/Effect"
import { reasonOf, StartFailed } from "./StartFailed.ts"

/**
 * Makes a directory and those above it. Not by `mkdirSync` with `recursive`, which never returns where a directory is
 * there but takes no entries (`/proc`), as Node takes the ENOENT that comes of it for a missing parent.
 */
const make = (path: string): void => {
  if (existsSync(path) && statSync(path).isDirectory()) return
  if (!existsSync(dirname(path))) make(dirname(path))
  mkdirSync(path, { mode: 0o700 })
}

/** The directory's absolute path, once it is there and can be written to. One that was there keeps its permissions. */
export const prepare = (data: string): Effect.Effect<string, StartFailed> =>
  Effect.try({
    try: () => {
      const path = resolve(data)
      make(path)
      accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
      return path
    },
    catch: (cause) => new StartFailed({ message: `the data directory ${data} cannot be used: ${reasonOf(cause)}` }),
  })
