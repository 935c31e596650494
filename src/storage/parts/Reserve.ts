/**
 * Space that is kept for a bad day: `<path>-reserve`, a file of real blocks beside the database, for its owner alone.
 *
 * A full disk must not stop those who take away from a store: a queue that cannot acknowledge does its items again and
 * again, and nothing gets less. So when SQLite finds no space the file is emptied. From then on nothing new is taken,
 * and what was set free serves acknowledgements and deletions. They need it for a while only: each is written to the
 * log, and once the log has been copied into the database (which grows by no more than the log is long) the log begins
 * anew in the space that it has.
 *
 *              SQLite finds no space
 *      kept ────────────────────────────▶ lent: nothing new is taken
 *        ▲                                  │
 *        └──── filled again, first of all ──┘  once there is space for it, and half as much besides
 *
 * Filling takes about 80 ms, beside whatever else is done. It need not be synced: a file system counts the blocks when
 * they are written, and a reserve that a crash has cut short is filled up when the store is opened.
 */
import { randomFillSync } from "node:crypto"
import { statfsSync, truncateSync } from "node:fs"
import { type FileHandle, open } from "node:fs/promises"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Room } from "./Room.ts"

/**
 * 32 MiB. The log is copied into the database when it holds 16 MiB (see `SqliteStores`), and a commit on top of that
 * takes 8 MiB where many publishers share it.
 */
export const reserveBytesDefault = 32 * 1024 * 1024

/** How often it is looked whether there is space again, in milliseconds. */
const lookMillisMin = 250

const pieceBytes = 1024 * 1024

export class Reserve implements Room {
  readonly #path: string
  readonly #bytes: number
  /** Why nothing new is taken, while it is lent. */
  #refusal: string | undefined
  #lookedAt = 0
  #filling: Promise<void> | undefined
  #isStopping = false

  private constructor(path: string, bytes: number) {
    this.#path = `${path}-reserve`
    this.#bytes = bytes
  }

  /**
   * The reserve of a database, which fills itself from now on until the scope closes. Where there is no space for it,
   * nothing new is taken from the start.
   */
  static open(path: string, bytes: number): Effect.Effect<Reserve, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => {
        const reserve = new Reserve(path, bytes)
        reserve.#startFilling()
        return reserve
      }),
      (reserve) => Effect.promise(() => reserve.#stopFilling()),
    )
  }

  refusal(): string | undefined {
    if (this.#refusal === undefined || this.#filling !== undefined) return this.#refusal
    if (performance.now() - this.#lookedAt >= lookMillisMin) {
      this.#lookedAt = performance.now()
      if (freeBytes(this.#path) >= this.#bytes * 1.5) this.#startFilling()
    }
    return this.#refusal
  }

  ranOut(): void {
    this.#isStopping = true
    empty(this.#path)
    this.#lend("the disk is full")
  }

  #lend(why: string): void {
    this.#lookedAt = performance.now()
    const mebibytes = Math.ceil((this.#bytes * 1.5) / pieceBytes)
    this.#refusal =
      `${why}: nothing new is stored until ${mebibytes} MiB are free in ${dirname(this.#path)}; ` +
      `what is there can be read, acknowledged and deleted`
  }

  #startFilling(): void {
    this.#isStopping = false
    // What cannot even be emptied or closed is a problem too.
    const filling = this.#fill().catch((error: unknown) => `${this.#path} cannot be written (${String(error)})`)
    this.#filling = filling.then((problem) => {
      this.#filling = undefined
      if (this.#isStopping) return
      if (problem === undefined) this.#refusal = undefined
      else this.#lend(problem)
    })
  }

  async #stopFilling(): Promise<void> {
    this.#isStopping = true
    await this.#filling
  }

  /** Gives why it could not be filled, if so. Where it may not be written at all, the store does without. */
  async #fill(): Promise<string | undefined> {
    let file: FileHandle | undefined
    try {
      file = await open(this.#path, "a", 0o600)
      let { size } = await file.stat()
      // What cannot be filled is not begun with: it would take the space that is left.
      if (this.#bytes > size && freeBytes(this.#path) < this.#bytes - size) return "the disk is full"
      // Not zeros, which some file systems do not store.
      const piece = this.#bytes > size ? randomFillSync(Buffer.allocUnsafe(pieceBytes)) : Buffer.alloc(0)
      while (size < this.#bytes && !this.#isStopping) {
        const { bytesWritten } = await file.write(piece, 0, Math.min(pieceBytes, this.#bytes - size))
        size += bytesWritten
      }
      // It was wanted while it was being filled.
      if (this.#isStopping && this.#refusal !== undefined) await file.truncate()
      return undefined
    } catch (error) {
      if (isOneOf(error, "EACCES", "EPERM", "EROFS", "EISDIR")) return undefined
      await file?.truncate()
      return isOneOf(error, "ENOSPC", "EDQUOT")
        ? "the disk is full"
        : `${this.#path} cannot be written (${String(error)})`
    } finally {
      await file?.close()
    }
  }
}

/** Sets the reserve of a database free that cannot even be opened for want of space. Gives whether that may have helped. */
export const release = (path: string): boolean => {
  if (freeBytes(path) >= pieceBytes) return false
  empty(`${path}-reserve`)
  return freeBytes(path) >= pieceBytes
}

/** What is free to anybody on the disk of a file. */
const freeBytes = (path: string): number => {
  const { bavail, bsize } = statfsSync(dirname(path))
  return bavail * bsize
}

const empty = (reservePath: string): void => {
  try {
    truncateSync(reservePath)
  } catch (error) {
    // Somebody has taken it away, or it is somebody else's: then there is nothing to set free.
    if (!isOneOf(error, "ENOENT", "EACCES", "EPERM", "EROFS", "EISDIR")) throw error
  }
}

const isOneOf = (error: unknown, ...codes: ReadonlyArray<string>): boolean =>
  error instanceof Error && "code" in error && typeof error.code === "string" && codes.includes(error.code)
