/**
 * Examines the store in a SQLite file, whether a node runs on it or not, without changing a byte of it.
 *
 * Beside a running node it is read as any reader would. Where nobody has it open, nobody can open it meanwhile, and it is
 * read in a way that recovers nothing: after the death of a process SQLite would first take over what it finds in the
 * log, so here the log is indexed in memory only.
 */
import { closeSync, openSync, readSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs"
import { pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import { StoreUnusable } from "../../domain/errors.ts"
import { type ExaminationEvent, type Finding, remedies } from "../Examination.ts"
import { examine as examineStore } from "../sql/examination/examine.ts"
import { sqliteDialect } from "../sql/SqliteDialect.ts"
import { hasLog, incompleteSentence, isOpen } from "./Completeness.ts"
import * as SqliteClient from "./SqliteClient.ts"
import { keep } from "./StoreFile.ts"

/** What every SQLite database begins with. */
const magic = "SQLite format 3\0"

const beginning = (path: string): string => {
  const file = openSync(path, "r")
  try {
    const bytes = Buffer.alloc(magic.length)
    return bytes.toString("latin1", 0, readSync(file, bytes, 0, magic.length, 0))
  } finally {
    closeSync(file)
  }
}

const notAvailable = (path: string, error: unknown): StoreUnusable =>
  new StoreUnusable({
    reason: "not available",
    message: `${path} cannot be examined: ${error instanceof Error ? error.message : String(error)}`,
  })

const noDatabase = (path: string): ReadonlyArray<ExaminationEvent> => {
  const bytes = statSync(path).size
  const message = bytes === 0 ? `${path} is empty` : `${path} is not a SQLite database`
  const kind = "not a database"
  const finding: Finding = { kind, message, remedy: remedies[kind] }
  const summary = { logs: 0, messages: 0, queues: 0, items: 0, bytes, findings: 1 }
  return [
    { _tag: "Found", finding },
    { _tag: "Examined", summary },
  ]
}

/** Looks at the store of a file. Fails where there is no such file, or where it cannot be read. */
export const examine = (path: string): Stream.Stream<ExaminationEvent, StoreUnusable> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const real = yield* Effect.try({
        try: () => {
          const real = realpathSync(path)
          return beginning(real) === magic ? { path: real } : { events: noDatabase(path) }
        },
        catch: (error) => notAvailable(path, error),
      })
      if (real.path === undefined) return Stream.fromIterable(real.events)
      const hadLog = hasLog(real.path)
      const client = yield* Effect.mapError(openUnchanged(real.path), (error) => notAvailable(path, error.message))
      return examineStore(client, sqliteDialect, (session, report) =>
        Effect.map(isOpen(session), (isOpen) => {
          if (isOpen && !hadLog) report.add("incomplete", incompleteSentence(path))
        }),
      )
    }),
  )

/**
 * A client that only reads, on a file that is in use or on one that nobody uses and nobody can open before the scope
 * closes.
 */
export const openUnchanged = (path: string): Effect.Effect<SqliteClient.Client, SqlError, Scope.Scope> =>
  Effect.gen(function* () {
    const isInUse = !(yield* keep(path))
    const url = pathToFileURL(path)
    if (!isInUse) {
      url.searchParams.set("mode", "ro")
      if (hasLog(path)) {
        url.searchParams.set("readonly_shm", "1")
        yield* indexFile(`${path}-shm`)
      } else {
        url.searchParams.set("immutable", "1")
      }
    }
    return yield* Effect.provide(SqliteClient.make({ filename: url, readonly: true }), Reactivity.layer)
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
