/**
 * Which store a command means that works on files: a database, or the one in a data directory.
 */
import { statSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { databaseName } from "../../node/DataDirectory.ts"
import { defaultDirectory } from "../Connection.ts"
import { UsageError } from "../UsageError.ts"

/** The database at a path, which may be that of a data directory. */
export const find = (path: string): Effect.Effect<string, UsageError> =>
  Effect.suspend(() => {
    const found = statSync(path, { throwIfNoEntry: false })
    const file = found?.isDirectory() === true ? join(path, databaseName) : path
    return statSync(file, { throwIfNoEntry: false })?.isFile() === true
      ? Effect.succeed(file)
      : Effect.fail(new UsageError({ message: `there is no store at ${path}` }))
  })

/** The database of this directory's node, where it has one. */
export const ofThisDirectory = (): Option.Option<string> => {
  const file = join(defaultDirectory, databaseName)
  return statSync(file, { throwIfNoEntry: false }) === undefined ? Option.none() : Option.some(file)
}
