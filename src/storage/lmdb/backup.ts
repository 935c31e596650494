/**
 * A backup of the store in a directory, whether a node runs on it or not: LMDB's own copying of all that is in use, as it
 * is at one moment. Commits go on meanwhile, and use no page again that is being copied: the file grows by what they write.
 *
 * The copy is one file, which becomes a store as `data.mdb` of a directory. It says that it is a backup: whoever opens it
 * as a store makes a new incarnation of it.
 */
import { randomUUID } from "node:crypto"
import { chmodSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { StorageFailed } from "../../domain/errors.ts"
import { type BackupFileOptions, backupFailed, pieces, place } from "../parts/BackupFile.ts"
import { backupState } from "../parts/Identity.ts"
import type { BackupPiece } from "../Maintenance.ts"
import { Environment } from "./Environment.ts"
import { writeMeta } from "./Meta.ts"
import { checkData, dataPath, unfinishedPath } from "./StoreDirectory.ts"

export interface BackupOptions extends BackupFileOptions {
  /** The store's directory. */
  readonly path: string
}

/** Writes a backup of a store to a file. Gives how many bytes it has. */
export const backup = (options: BackupOptions): Effect.Effect<number, StorageFailed> =>
  place(options, (temporary) => Effect.scoped(copyTo(options.path, temporary)))

/** The bytes of a backup. */
export const backupStream = (path: string): Stream.Stream<BackupPiece, StorageFailed> =>
  pieces(
    () => `${unfinishedPath(path)}-${randomUUID()}`,
    (temporary) => copyTo(path, temporary),
  )

const copyTo = (path: string, temporary: string): Effect.Effect<number, StorageFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const source = yield* Effect.acquireRelease(
      Effect.try({ try: () => openSource(path), catch: backupFailed }),
      (environment) => Effect.promise(() => environment.close()),
    )
    // LMDB copies to a directory.
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const directory = `${temporary}-copy`
        mkdirSync(directory, { mode: 0o700 })
        return directory
      }),
      (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true })),
    )
    // The copying goes on in a thread, and is over before the environment closes.
    yield* Effect.uninterruptible(Effect.tryPromise({ try: () => source.copyTo(directory), catch: backupFailed }))
    return yield* Effect.tryPromise({ try: () => finish(directory, temporary), catch: backupFailed })
  })

const openSource = (path: string): Environment => {
  const check = checkData(dataPath(path))
  if (check.type !== "sound") throw new Error(`${dataPath(path)} is ${check.type}`)
  return Environment.open({ path, durability: "fsync", readonly: true }, "must be there")
}

/** Marks the copy, and puts it in its place. Gives its size. */
const finish = async (directory: string, temporary: string): Promise<number> => {
  const copy = Environment.open({ path: directory, durability: "memory" }, "must be there")
  try {
    copy.transact(
      () => {
        writeMeta(copy.tables, "state", backupState)
        return true
      },
      () => undefined,
    )
  } finally {
    await copy.close()
  }
  // LMDB lets others read what it copies to.
  chmodSync(dataPath(directory), 0o600)
  renameSync(dataPath(directory), temporary)
  return statSync(temporary).size
}
