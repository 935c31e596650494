/**
 * SQLite's log, `<path>-wal`, after a failure: what is in it may never have reached the disk, although it can be read.
 *
 * When an fsync fails the kernel may count the pages as written all the same. They are read from memory as they should
 * be, also by the next process, and the next fsync finds nothing to do. A commit could then be taken for durable whose
 * beginning is missing after a power cut. So a log that is found is written onto itself, byte for byte, and synced: what
 * is there now must then really be brought to the disk, or fail again.
 */
import { closeSync, fsyncSync, openSync, readSync, writeSync } from "node:fs"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { StoreUnusable } from "../../domain/errors.ts"
import type { Stores } from "../Stores.ts"

const pieceBytes = 1024 * 1024

const rewrite = (path: string): void => {
  const file = openSync(`${path}-wal`, "r+")
  try {
    const piece = Buffer.allocUnsafe(pieceBytes)
    for (let at = 0; ;) {
      const bytes = readSync(file, piece, 0, pieceBytes, at)
      if (bytes === 0) break
      for (let done = 0; done < bytes;) done += writeSync(file, piece, done, bytes - done, at + done)
      at += bytes
    }
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT"

/** Brings the log that somebody left to the disk. To be done before SQLite opens the database. */
export const renewLog = (path: string): Effect.Effect<void, StoreUnusable> =>
  Effect.try({
    try: () => rewrite(path),
    catch: (error) => error,
  }).pipe(
    Effect.catch((error) =>
      isMissing(error)
        ? Effect.void
        : Effect.fail(
            new StoreUnusable({
              reason: "not available",
              message: `the log of ${path} cannot be written: ${String(error)}`,
            }),
          ),
    ),
  )

/** Does so before a store is closed that gave up: closing it moves what is in the log into the database. */
export const renewLogOnceStopped = (path: string, { logs }: Stores): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    let hasStopped = false
    yield* Effect.forkScoped(
      Effect.map(logs.stopped ?? Effect.never, () => {
        hasStopped = true
      }),
      { startImmediately: true },
    )
    // Where it fails, the disk is still as it was, and will not take what is moved either.
    yield* Effect.addFinalizer(() => (hasStopped ? Effect.ignore(renewLog(path)) : Effect.void))
  })
