/**
 * The lock of a store that one process has to itself: a file beside it.
 *
 * The lock is a small SQLite database of its own, kept under a write transaction as long as the store is open. SQLite's
 * locks are the kernel's: they go with the process that holds them, however it ends, and they also hold between two
 * connections of one process. The holder's process id is committed in it, so that a refusal can name it.
 */
import { chmodSync, closeSync, openSync, statSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { StoreUnusable } from "../../domain/errors.ts"

/** Holds a store until the scope closes, if nobody else does. */
export const holdLock = (store: string, lockPath: string): Effect.Effect<void, StoreUnusable, Scope.Scope> =>
  Effect.asVoid(Effect.acquireRelease(lock(store, lockPath), (database) => Effect.sync(() => database.close())))

/**
 * Keeps others from opening a store while the scope is open, without a change to any file. Gives false where somebody has
 * it open. A store without a lock was never opened where it is.
 */
export const keepLock = (lockPath: string): Effect.Effect<boolean, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        if (statSync(lockPath, { throwIfNoEntry: false }) === undefined) return "kept"
        let database: DatabaseSync | undefined
        try {
          database = new DatabaseSync(lockPath)
          database.exec("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE")
          return database
        } catch (error) {
          database?.close()
          // What may not even be locked by us can still be looked at.
          return isBusy(error) ? "held" : "kept"
        }
      }),
      (database) => Effect.sync(() => (typeof database === "string" ? undefined : database.close())),
    ),
    (result) => result !== "held",
  )

/** Makes a file for its owner alone, where it is not there. That mode is also that of the files that SQLite makes beside it. */
export const createFile = (path: string): void => {
  const isNew = statSync(path, { throwIfNoEntry: false }) === undefined
  closeSync(openSync(path, "a", 0o600))
  if (isNew) chmodSync(path, 0o600)
}

const lock = (path: string, lockPath: string): Effect.Effect<DatabaseSync, StoreUnusable> =>
  Effect.suspend(() => {
    let database: DatabaseSync | undefined
    try {
      createFile(lockPath)
      database = new DatabaseSync(lockPath)
      database.exec("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE")
      if (sign(database)) database.exec("BEGIN IMMEDIATE")
      return Effect.succeed(database)
    } catch (error) {
      const refusal = isBusy(error) ? held(path, database) : notWritable(lockPath, error)
      database?.close()
      return refusal
    }
  })

/**
 * Commits the process id. True where it is committed, and the lock has to be taken again; where it cannot be written,
 * on a full disk for example, the lock stays, and only its holder's name is not known.
 */
const sign = (database: DatabaseSync): boolean => {
  try {
    database.exec("CREATE TABLE IF NOT EXISTS holder (one INTEGER PRIMARY KEY CHECK (one = 1), pid INTEGER NOT NULL)")
    database.prepare("INSERT OR REPLACE INTO holder (one, pid) VALUES (1, ?)").run(process.pid)
    database.exec("COMMIT")
    return true
  } catch {
    return !database.isTransaction
  }
}

const held = (path: string, database: DatabaseSync | undefined): StoreUnusable => {
  const pid = holder(database)
  const who = pid === undefined ? "another process" : pid === process.pid ? "this process already" : `process ${pid}`
  return new StoreUnusable({ reason: "held", message: `${path} is held by ${who}` })
}

const holder = (database: DatabaseSync | undefined): number | undefined => {
  try {
    const pid = database?.prepare("SELECT pid FROM holder").get()?.["pid"]
    return typeof pid === "number" ? pid : undefined
  } catch {
    // The holder has only just come and not yet written its id: that somebody holds the store is known all the same.
    return undefined
  }
}

const isBusy = (error: unknown): boolean =>
  error instanceof Error && "errcode" in error && typeof error.errcode === "number" && (error.errcode & 0xff) === 5

export const notWritable = (path: string, error: unknown): StoreUnusable =>
  new StoreUnusable({
    reason: "not writable",
    message: `${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
  })
