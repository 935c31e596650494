/**
 * The directory of a store: LMDB's `data.mdb` and `lock.mdb`, and of ours `data.mdb-lock`, which says that a process has
 * the store (LMDB's own lets several in), and `data.mdb-reserve`.
 */
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
} from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { StoreUnusable } from "../../domain/errors.ts"
import { damaged } from "../parts/Identity.ts"
import { holdLock, notWritable } from "../parts/StoreLock.ts"

const dataName = "data.mdb"

/** The file with everything in it. */
export const dataPath = (directory: string): string => join(directory, dataName)

const lockPath = (directory: string): string => `${dataPath(directory)}-lock`

/** A store's directory, open to this process only. */
export interface StoreDirectory {
  /** The path without symbolic links. */
  readonly path: string
  /** What is wrong with the data now, if anything: they may have been removed or replaced. */
  readonly problem: () => string | undefined
}

const inodeOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.ino

export const hasData = (directory: string): boolean => inodeOf(dataPath(directory)) !== undefined

/** Makes the directory (0700) where it does not exist, and holds the store in it until the scope closes. */
export const hold = (path: string): Effect.Effect<StoreDirectory, StoreUnusable, Scope.Scope> =>
  Effect.gen(function* () {
    const found = statSync(path, { throwIfNoEntry: false })
    if (found !== undefined && !found.isDirectory()) {
      return yield* new StoreUnusable({
        reason: "not a database",
        message: `${path} is a file, and a store of LMDB is a directory`,
      })
    }
    const real = yield* Effect.try({
      try: () => {
        mkdirSync(path, { recursive: true, mode: 0o700 })
        return realpathSync(path)
      },
      catch: (error) => notWritable(path, error),
    })
    yield* holdLock(path, lockPath(real))
    let inode: number | undefined
    return {
      path: real,
      problem: () => {
        const now = inodeOf(dataPath(real))
        if (now === undefined) return `the file ${dataPath(path)} is gone`
        inode ??= now
        return now === inode ? undefined : `the file ${dataPath(path)} was replaced by another one`
      },
    }
  })

/** Brings names in a directory to the disk. */
export const syncDirectory = (path: string): void => {
  const file = openSync(path, "r")
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** A name for data that are being made; whoever dies meanwhile leaves it behind. */
export const unfinishedPath = (directory: string): string => `${dataPath(directory)}-unfinished`

/** Removes what somebody left behind who died while making a store. To be done by who holds it. */
export const removeUnfinished = (directory: string): void => {
  for (const name of readdirSync(directory)) {
    if (name.startsWith(`${dataName}-unfinished`)) rmSync(join(directory, name), { force: true })
  }
}

const pageHeaderBytes = 24
const magic = 0xbeefc0de
/** How much of the file the header takes that is looked at. */
const headerBytes = 160

/** What the head of LMDB's file says: of the two that take turns, what the newer one does. */
interface Header {
  readonly magic: number
  readonly pageBytes: number
  readonly lastPage: number
  readonly transaction: number
}

const headerAt = (file: number, at: number): Header | undefined => {
  const bytes = Buffer.alloc(headerBytes)
  if (readSync(file, bytes, 0, headerBytes, at) < headerBytes) return undefined
  const body = bytes.subarray(pageHeaderBytes)
  return {
    magic: body.readUInt32LE(0),
    pageBytes: body.readUInt32LE(24),
    lastPage: Number(body.readBigUInt64LE(120)),
    transaction: Number(body.readBigUInt64LE(128)),
  }
}

/**
 * Bytes that may be missing from the end of the file: pages that a commit had taken and not used after all are not
 * written, when they are the last ones.
 */
const unwrittenBytesMax = 1024 * 1024

/** What is to be known of the file before LMDB opens it: it maps the file, and reading where nothing is ends the process. */
export type DataCheck =
  | { readonly type: "not a database" }
  | { readonly type: "cut short"; readonly bytes: number; readonly wanted: number }
  /** So long the file has to be. */
  | { readonly type: "sound"; readonly bytes: number; readonly wanted: number }

export const checkData = (path: string): DataCheck => {
  const file = openSync(path, "r")
  try {
    const first = headerAt(file, 0)
    if (first?.magic !== magic || first.pageBytes < 512) return { type: "not a database" }
    const second = headerAt(file, first.pageBytes)
    const latest = second !== undefined && second.transaction > first.transaction ? second : first
    const wanted = (latest.lastPage + 1) * first.pageBytes
    const bytes = statSync(path).size
    return { type: bytes < wanted - unwrittenBytesMax ? "cut short" : "sound", bytes, wanted }
  } finally {
    closeSync(file)
  }
}

/** Refuses data that LMDB must not be given, and makes sure that all of its pages can be read. */
export const prepareData = (store: string, directory: string): Effect.Effect<void, StoreUnusable> =>
  Effect.suspend(() => {
    const path = dataPath(directory)
    try {
      const check = checkData(path)
      if (check.type === "not a database") {
        return Effect.fail(
          new StoreUnusable({ reason: "not a database", message: `${dataPath(store)} is not a database of LMDB` }),
        )
      }
      if (check.type === "cut short") {
        return Effect.fail(damaged(store, `${dataName} has ${check.bytes} of its ${check.wanted} bytes`))
      }
      if (check.bytes < check.wanted) extend(path, check.wanted)
      return Effect.void
    } catch (error) {
      return Effect.fail(notWritable(dataPath(store), error))
    }
  })

const extend = (path: string, bytes: number): void => {
  const file = openSync(path, "r+")
  try {
    ftruncateSync(file, bytes)
  } finally {
    closeSync(file)
  }
}
