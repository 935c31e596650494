/**
 * The first module of the program. It loads next to nothing itself: it arranges for the rest to load quickly, and
 * starts the thread that a node's database will work in, so that both load side by side.
 */
import module from "node:module"
import { join } from "node:path"
import * as Lmdb from "../storage/lmdb/preload.ts"
import * as Sqlite from "../storage/sqlite/preload.ts"
import "../storage/worker/quickResolve.ts"

/**
 * Compiled code is kept for the next start, in the user's own cache: a shared temporary directory would let others
 * decide what we run. Threads find it by the variable.
 */
const useCompileCache = (): void => {
  const { NODE_COMPILE_CACHE, XDG_CACHE_HOME, HOME } = process.env
  const caches = XDG_CACHE_HOME || (HOME && join(HOME, ".cache"))
  if (NODE_COMPILE_CACHE !== undefined || !caches) return
  const directory = join(caches, "millrace")
  module.enableCompileCache(directory)
  process.env["NODE_COMPILE_CACHE"] = directory
}

// What goes wrong is said by us, once.
process.env["GRPC_VERBOSITY"] ??= "NONE"

/** What the command line, or else the environment, says that the storage is; a guess, but for the time that it saves. */
const guessStorage = (texts: ReadonlyArray<string>): string =>
  [...texts, process.env["MILLRACE_STORAGE"] ?? ""]
    .map((text) => /^(?:--storage=)?(memory|lmdb|postgres|postgresql):/.exec(text)?.[1])
    .find((found) => found !== undefined) ?? "sqlite"

useCompileCache()
const [command, ...rest] = process.argv.slice(2)
if (command === "serve") {
  const storage = guessStorage(rest)
  if (storage === "sqlite") Sqlite.preload()
  else if (storage === "lmdb") Lmdb.preload()
}
await import("./main.ts")
