/**
 * Whether a database file has all its commits: SQLite keeps the latest of them in a file beside it, `<path>-wal`, and
 * would open a copy without that file as if nothing were missing.
 *
 * So the database itself says whether it is in use (`state` in `millrace_meta`). "open" is written, synced and taken into
 * the database file when a store is opened, before it answers anybody; from then on its log is never empty. "closed" is
 * written when the store is closed, just before SQLite takes the last of the log in and removes it. A file that says
 * "open" and has no log has lost commits: it was copied without it, or somebody removed it. After the death of a process
 * the log is still there. All of it happens at the beginning and the end: a commit costs what it did.
 */
import { closeSync, openSync, readSync, statSync } from "node:fs"
import { basename } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { StoreUnusable } from "../../domain/errors.ts"
import type { Session } from "../sql/Session.ts"

/** The header of SQLite's log; what follows are commits. */
const logHeaderBytes = 32

/** Whether there are commits in the log beside a database. To be asked before SQLite opens the database. */
export const hasLog = (path: string): boolean =>
  (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > logHeaderBytes

/**
 * Whether the log beside a database is that of another one. A database that was never used with a log says so in its
 * header, as every backup does, and SQLite would take over whatever lies beside it all the same.
 */
export const hasForeignLog = (path: string): boolean => {
  if (!hasLog(path)) return false
  const file = openSync(path, "r")
  try {
    const version = Buffer.alloc(1)
    return readSync(file, version, 0, 1, writeVersionAt) === 1 && version[0] === 1
  } finally {
    closeSync(file)
  }
}

/** Where SQLite's header says how the database is written: 1 with a rollback journal, 2 with a log. */
const writeVersionAt = 18

export const foreignLogSentence = (path: string): string => {
  const log = `${basename(path)}-wal`
  return `${path} was never used with a log, and ${log} beside it belongs to another store: remove ${log}`
}

/** Gives "open", "closed" or "backup". */
export const selectState = "SELECT value FROM millrace_meta WHERE name = 'state'"
const updateState = "UPDATE millrace_meta SET value = ? WHERE name = 'state' AND value <> ?"

/** Whether a store says that it is in use. */
export const isOpen = (session: Session): Effect.Effect<boolean, SqlError> =>
  Effect.map(session.values(selectState, []), (rows) => rows[0]?.[0] === "open")

/** Where what is missing may be, and what can be done. */
export const incompleteSentence = (path: string): string => {
  const log = `${basename(path)}-wal`
  return `${path} lacks its last commits: it was in use, and ${log} is not beside it (a copy needs both files; a backup needs neither)`
}

/** Refuses a file that lacks commits, before anything is written to it. */
export const checkComplete = (
  client: SqlClient,
  path: string,
  hadLog: boolean,
): Effect.Effect<void, SqlError | StoreUnusable> =>
  Effect.scoped(
    Effect.gen(function* () {
      if (hadLog) return
      const connection = yield* client.reserve
      const tables = yield* connection.executeValuesUnprepared(
        "SELECT 1 FROM sqlite_schema WHERE name = 'millrace_meta'",
        [],
      )
      if (tables.length === 0) return
      const [[state] = []] = yield* connection.executeValuesUnprepared(selectState, [])
      if (state === "open") {
        const message = `${incompleteSentence(path)}; "millrace doctor ${path}" says what is there`
        return yield* new StoreUnusable({ reason: "incomplete", message })
      }
    }),
  )

/** Keeps the log of a database from being removed when the database is closed. */
export interface LogGuard {
  readonly keepLog: () => void
}

/** A guard for a client that is opened in the same scope later. */
export const guardLog = (path: string): Effect.Effect<LogGuard, never, Scope.Scope> =>
  Effect.gen(function* () {
    let reader: DatabaseSync | undefined
    yield* Effect.addFinalizer(() => Effect.sync(() => reader?.close()))
    return {
      // The log goes with the last connection that may write. This one may not, and is the last.
      keepLog: () => {
        const opened = new DatabaseSync(path, { readOnly: true })
        reader = opened
        opened.prepare("PRAGMA schema_version").get()
      },
    }
  })

/**
 * Sees to it that "closed" is written before the client closes, however the opening goes on: whoever closes the last
 * connection removes the log.
 */
export const closing = (client: SqlClient, guard: LogGuard): Effect.Effect<void, never, Scope.Scope> =>
  Effect.addFinalizer(() =>
    Effect.gen(function* () {
      const connection = yield* client.reserve
      const run = (sql: string) => Effect.ignore(connection.executeValuesUnprepared(sql, []))
      // A connection that got stuck in a transaction closes without it, too.
      yield* run("ROLLBACK")
      // First all else, so that there is no moment at which the file says "closed" and has not everything; and what is
      // written then takes no more room on the disk, which may be full.
      yield* run("PRAGMA wal_checkpoint(PASSIVE)")
      yield* connection.executeRaw(updateState, ["closed", "closed"])
    }).pipe(
      Effect.scoped,
      Effect.retry({ times: 2 }),
      // A disk that takes not even this: the log has to stay, also where nothing is in it that is not in the database.
      Effect.catch(() => Effect.sync(() => guard.keepLog())),
    ),
  )

/** Writes "open" into the file. Where somebody who reads holds that up, it goes on being tried. */
export const markOpen = (client: SqlClient): Effect.Effect<void, SqlError, Scope.Scope> =>
  Effect.gen(function* () {
    const takeIn = Effect.scoped(
      Effect.gen(function* () {
        const connection = yield* client.reserve
        const [[, logged, taken] = []] = yield* connection.executeValuesUnprepared("PRAGMA wal_checkpoint(PASSIVE)", [])
        return logged === taken
      }),
    )
    yield* Effect.scoped(
      Effect.flatMap(client.reserve, (connection) => connection.executeRaw(updateState, ["open", "open"])),
    )
    if (yield* takeIn) return
    yield* takeIn.pipe(
      Effect.repeat({ while: (done) => !done, schedule: Schedule.spaced("1 second") }),
      Effect.ignore,
      Effect.forkScoped,
    )
  })
