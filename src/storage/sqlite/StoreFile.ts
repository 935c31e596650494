/**
 * The files of a SQLite store: the database `<path>`, and beside it its lock, `<path>-lock`.
 */
import { mkdirSync, realpathSync, statSync } from "node:fs"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { StoreUnusable } from "../../domain/errors.ts"
import { createFile, holdLock, keepLock, notWritable } from "../parts/StoreLock.ts"

/** A store's file, open to this process only. */
export interface StoreFile {
  /** The path without symbolic links. */
  readonly path: string
  /** What is wrong with the file now, if anything: it may have been removed or replaced. */
  readonly problem: () => string | undefined
}

/**
 * Makes the directory (0700) and the file (0600) where they do not exist, and holds the store until the scope closes.
 */
export const hold = (
  path: string,
  file: "may be made" | "must be there" = "may be made",
): Effect.Effect<StoreFile, StoreUnusable, Scope.Scope> =>
  Effect.gen(function* () {
    if (file === "must be there" && statSync(path, { throwIfNoEntry: false }) === undefined) {
      return yield* new StoreUnusable({ reason: "not available", message: `the file ${path} is gone` })
    }
    const real = yield* touch(path)
    yield* holdLock(path, `${real}-lock`)
    const inode = statSync(real).ino
    return {
      path: real,
      problem: () => {
        const now = statSync(real, { throwIfNoEntry: false })
        if (now === undefined) return `the file ${path} is gone`
        return now.ino === inode ? undefined : `the file ${path} was replaced by another one`
      },
    }
  })

const touch = (path: string): Effect.Effect<string, StoreUnusable> =>
  Effect.try({
    try: () => {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      createFile(path)
      return realpathSync(path)
    },
    catch: (error) => notWritable(path, error),
  })

/** Keeps others from opening the store, see `keepLock`. */
export const keep = (path: string): Effect.Effect<boolean, never, Scope.Scope> => keepLock(`${path}-lock`)
