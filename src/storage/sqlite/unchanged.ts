/**
 * Reading a database without changing a byte of it, whether it is in use or not.
 *
 * Beside a running node it is read as any reader would. Where nobody has it open, nobody can open it meanwhile, and it is
 * read in a way that recovers nothing: after the death of a process SQLite would first take over what it finds in the
 * log, so here the log is indexed in memory only.
 */
import { rmSync, statSync, writeFileSync } from "node:fs"
import { pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { hasForeignLog, hasLog } from "./Completeness.ts"
import { keep } from "./StoreFile.ts"

/** What to open with SQLite, to read only, for as long as the scope is open. */
export const urlUnchanged = (path: string): Effect.Effect<URL, never, Scope.Scope> =>
  Effect.gen(function* () {
    const isInUse = !(yield* keep(path))
    const url = pathToFileURL(path)
    if (!isInUse) {
      url.searchParams.set("mode", "ro")
      if (hasLog(path) && !hasForeignLog(path)) {
        url.searchParams.set("readonly_shm", "1")
        yield* indexFile(`${path}-shm`)
      } else {
        url.searchParams.set("immutable", "1")
      }
    }
    return url
  })

/**
 * SQLite wants the file of the log's index to be there, though it is not used where nobody has it open. A store that was
 * copied may lack it: then it is made, empty, and removed in the end.
 */
const indexFile = (path: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => {
        if (statSync(path, { throwIfNoEntry: false }) !== undefined) return false
        try {
          writeFileSync(path, "", { flag: "wx", mode: 0o600 })
          return true
        } catch {
          // Where nothing can be written, opening the database fails, and says so.
          return false
        }
      }),
      (isOurs) => Effect.sync(() => (isOurs ? rmSync(path, { force: true }) : undefined)),
    ),
  )
