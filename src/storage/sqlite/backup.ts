/**
 * A backup of the store in a SQLite file, whether a node runs on it or not: SQLite's own copying of pages, from a
 * snapshot that lasts as long as the copying. Commits go on meanwhile, into the log, which is taken in afterwards.
 *
 * The copy is a file of its own, without a log. It says that it is a backup: whoever opens it as a store makes a new
 * incarnation of it.
 */
import { closeSync, fstatSync, openSync, realpathSync } from "node:fs"
import { backup as copyPages, DatabaseSync } from "node:sqlite"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { StorageFailed } from "../../domain/errors.ts"
import { type BackupFileOptions, backupFailed, pieces, place } from "../parts/BackupFile.ts"
import type { BackupPiece } from "../Maintenance.ts"
import { backupState } from "../parts/Identity.ts"
import { hasLog, incompleteSentence, selectState } from "./Completeness.ts"
import { unfinished } from "./Leftovers.ts"
import { urlUnchanged } from "./unchanged.ts"

export interface BackupOptions extends BackupFileOptions {
  /** The store's file. */
  readonly path: string
  /** Whether to take what is there of a store that lacks its last commits. */
  readonly incomplete?: boolean | undefined
  /** Told how much has been copied. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

/** Pages that are copied in one step, while nobody else uses the connection. */
const pagesAtOnce = 1024

/** Writes a backup of a store to a file. Gives how many bytes it has. */
export const backup = (options: BackupOptions): Effect.Effect<number, StorageFailed> =>
  place(options, (temporary) => Effect.scoped(copyTo(options, temporary)))

/** The bytes of a backup. */
export const backupStream = (path: string): Stream.Stream<BackupPiece, StorageFailed> =>
  pieces(
    () => unfinished(realpathSync(path)),
    (temporary) => copyTo({ path, to: temporary }, temporary),
  )

const copyTo = (
  { incomplete = false, onProgress, path }: BackupOptions,
  temporary: string,
): Effect.Effect<number, StorageFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const source = yield* openSource(path, incomplete)
    let isWanted = true
    const copied = Effect.tryPromise({
      try: () =>
        copyPages(source, temporary, {
          rate: pagesAtOnce,
          progress: ({ remainingPages, totalPages }) => {
            if (!isWanted) throw new Error("it was interrupted")
            onProgress?.(totalPages - remainingPages, totalPages)
          },
        }),
      catch: backupFailed,
    })
    // The copying goes on in a thread, and is over before the connection closes.
    yield* Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const copying = yield* Effect.forkChild(copied)
        yield* Effect.onInterrupt(restore(Fiber.join(copying)), () =>
          Effect.andThen(
            Effect.sync(() => {
              isWanted = false
            }),
            Fiber.await(copying),
          ),
        )
      }),
    )
    return yield* Effect.try({ try: () => finish(temporary), catch: backupFailed })
  })

/** A snapshot of the store. */
const openSource = (path: string, incomplete: boolean): Effect.Effect<DatabaseSync, StorageFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const real = yield* Effect.try({ try: () => realpathSync(path), catch: backupFailed })
    const hadLog = hasLog(real)
    const url = yield* urlUnchanged(real)
    const source = yield* Effect.acquireRelease(
      Effect.try({ try: () => new DatabaseSync(url, { readOnly: true }), catch: backupFailed }),
      (database) => Effect.sync(() => database.close()),
    )
    const state = yield* Effect.try({
      try: () => {
        source.exec("PRAGMA busy_timeout = 1000; BEGIN")
        return source.prepare(selectState).get()?.["value"]
      },
      catch: backupFailed,
    })
    if (state === "open" && !hadLog && !incomplete) {
      return yield* new StorageFailed({ operation: "backup", message: incompleteSentence(path) })
    }
    return source
  })

/** Makes the copy a file that needs no other, and marks it. Gives its size. */
const finish = (temporary: string): number => {
  const copy = new DatabaseSync(temporary)
  try {
    copy.exec("PRAGMA journal_mode = DELETE")
    copy.prepare("UPDATE millrace_meta SET value = ? WHERE name = 'state'").run(backupState)
  } finally {
    copy.close()
  }
  const file = openSync(temporary, "r")
  try {
    return fstatSync(file).size
  } finally {
    closeSync(file)
  }
}
