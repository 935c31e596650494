/**
 * The file that a backup is written to: it has its name only once it is whole and synced, and is its owner's alone.
 */
import { randomUUID } from "node:crypto"
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { StorageFailed } from "../../domain/errors.ts"
import type { BackupPiece } from "../Maintenance.ts"

export interface BackupFileOptions {
  /** Where the backup is to be. */
  readonly to: string
  /** Whether a file that is there is replaced, by default not. */
  readonly force?: boolean | undefined
}

export const backupFailed = (error: unknown): StorageFailed =>
  new StorageFailed({
    operation: "backup",
    message: `the backup failed: ${error instanceof Error ? error.message : String(error)}`,
  })

const exists = (to: string): StorageFailed =>
  new StorageFailed({ operation: "backup", message: `${to} exists already, and is not replaced unless forced` })

/** Writes by a system call that may fail. */
const attempt = <A>(evaluate: () => A): Effect.Effect<A, StorageFailed> =>
  Effect.try({ try: evaluate, catch: backupFailed })

const sync = (path: string): void => {
  const file = openSync(path, "r")
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/**
 * Has a file written beside the place where it is to be, and puts it there when it is whole. What was not finished is
 * removed.
 *
 * @param write fills the file, which is there and empty
 */
export const place = <A, E, R>(
  { force = false, to }: BackupFileOptions,
  write: (temporary: string) => Effect.Effect<A, E, R>,
): Effect.Effect<A, E | StorageFailed, R> =>
  Effect.gen(function* () {
    if (!force && existsSync(to)) return yield* exists(to)
    const temporary = `${to}.${randomUUID()}.partial`
    const made = attempt(() => closeSync(openSync(temporary, "wx", 0o600)))
    return yield* Effect.acquireUseRelease(
      made,
      () => Effect.tap(write(temporary), () => putInPlace(temporary, to, force)),
      (_, exit) =>
        Effect.sync(() => {
          for (const end of Exit.isSuccess(exit) ? [] : ["", "-journal", "-wal", "-shm"]) {
            rmSync(`${temporary}${end}`, { force: true })
          }
        }),
    )
  })

const putInPlace = (temporary: string, to: string, force: boolean): Effect.Effect<void, StorageFailed> =>
  Effect.try({
    try: () => {
      sync(temporary)
      if (force) renameSync(temporary, to)
      else {
        // Not a rename: that would replace what somebody else has put there meanwhile.
        linkSync(temporary, to)
        rmSync(temporary)
      }
      sync(dirname(to))
    },
    catch: (error) =>
      error instanceof Error && "code" in error && error.code === "EEXIST" ? exists(to) : backupFailed(error),
  })

/** Writes a backup's pieces to a file. Gives how many bytes it has. */
export const writeBackup = <E, R>(
  pieces: Stream.Stream<BackupPiece, E, R>,
  options: BackupFileOptions,
): Effect.Effect<number, E | StorageFailed, R> =>
  place(options, (temporary) =>
    Effect.acquireUseRelease(
      attempt(() => openSync(temporary, "w")),
      (file) =>
        Effect.gen(function* () {
          let written = 0
          let total = -1
          yield* Stream.runForEach(pieces, ({ bytes, totalBytes }) =>
            attempt(() => {
              total = totalBytes
              for (let at = 0; at < bytes.byteLength;) at += writeSync(file, bytes, at)
              written += bytes.byteLength
            }),
          )
          if (written !== total) return yield* backupFailed(`it ended after ${written} of ${total} bytes`)
          return written
        }),
      (file) => Effect.sync(() => closeSync(file)),
    ),
  )

const pieceBytes = 256 * 1024

/**
 * The bytes of a backup. It is written beside the store first, which takes as much room on the disk again for as long as
 * the stream runs.
 *
 * @param nameOf gives the path of the file that it is written to
 * @param write fills that file, which is there and empty
 */
export const pieces = (
  nameOf: () => string,
  write: (temporary: string) => Effect.Effect<unknown, StorageFailed, Scope.Scope>,
): Stream.Stream<BackupPiece, StorageFailed> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const temporary = yield* Effect.acquireRelease(
        attempt(() => {
          const temporary = nameOf()
          closeSync(openSync(temporary, "wx", 0o600))
          return temporary
        }),
        (temporary) => Effect.sync(() => rmSync(temporary, { force: true })),
      )
      yield* Effect.scoped(write(temporary))
      const file = yield* Effect.acquireRelease(
        attempt(() => openSync(temporary, "r")),
        (file) => Effect.sync(() => closeSync(file)),
      )
      const totalBytes = fstatSync(file).size
      return Stream.unfold(0, (at) =>
        attempt(() => {
          if (at >= totalBytes) return undefined
          const bytes = Buffer.allocUnsafeSlow(Math.min(pieceBytes, totalBytes - at))
          const read = readSync(file, bytes, 0, bytes.length, at)
          if (read === 0) throw new Error("the copy has become shorter")
          return [{ totalBytes, bytes: bytes.subarray(0, read) }, at + read] as const
        }),
      )
    }),
  )
