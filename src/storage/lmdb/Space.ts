/**
 * Who looks after the space of an environment: on its disk, and below the size that its file may have.
 *
 * The file never shrinks. What is taken away leaves free pages in it, which the next that is stored goes into, so a store
 * with a full disk is not full as long as it has enough of them. Taking away needs pages too: every change writes the
 * pages on the way to it anew, a few for each commit, and those that they replace are free two commits later. So they are
 * kept: on the disk by `Reserve`, in a file of bounded size by refusing what adds some way before its end.
 */
import { statfsSync } from "node:fs"
import { dirname } from "node:path"
import type { Reserve } from "../parts/Reserve.ts"
import type { Usage } from "./Environment.ts"

const mebibyte = 1024 * 1024

/**
 * What is left on the disk when the reserve is set free. LMDB must not find that out by itself: where a write finds no
 * space, version 3.5.6 of the package writes a message about it into a buffer that is too short for it, and the process may
 * end by that, then or later.
 */
const diskBytesMin = 4 * mebibyte

/** What is left of it, reserve and all, when nothing is written any more that might need some. */
const lastBytesMin = mebibyte

/** Free pages that a commit of so many bytes may need: it rounds up, and finds no place for large blocks in small gaps. */
const needOf = (bytes: number): number => 2 * bytes + mebibyte

export interface SpaceOptions {
  /** The environment's file. */
  readonly path: string
  readonly usage: () => Usage
  readonly reserve: Reserve | undefined
  /** Bytes that are kept of both. */
  readonly reserveBytes: number
  /** How large the file may become, about. */
  readonly fileBytesMax: number | undefined
}

export class Space {
  private readonly options: SpaceOptions
  /** How large the file may be by now: as when it was looked at, and what may have come since. */
  private fileBytes = Number.POSITIVE_INFINITY

  constructor(options: SpaceOptions) {
    this.options = options
  }

  /** Why nothing new of so many bytes is taken now, in a sentence, if so. */
  refusal(bytes: number): string | undefined {
    return this.ofFile(bytes) ?? this.ofDisk(bytes)
  }

  /** Why not even what takes away can be written now, if so. Sets the reserve free where that needs it. */
  refusalToTake(): string | undefined {
    const { path, reserve, usage } = this.options
    if (freeBytes(path) >= diskBytesMin) return undefined
    this.ranOut()
    if (freeBytes(path) >= lastBytesMin || usage().freeBytes >= lastBytesMin) return undefined
    return reserve?.refusal() ?? `the disk is full: nothing is stored in ${path}`
  }

  /** No space was found: what is kept in reserve is to be set free. */
  ranOut(): void {
    const { reserve } = this.options
    // Once: whoever says so again and again is not to be in the way of its filling.
    if (reserve?.refusal() === undefined) reserve?.ranOut()
  }

  get isDiskFull(): boolean {
    return freeBytes(this.options.path) < diskBytesMin
  }

  private ofFile(bytes: number): string | undefined {
    const { fileBytesMax, path } = this.options
    if (fileBytesMax === undefined) return undefined
    const kept = keptOf(this.options)
    this.fileBytes += needOf(bytes)
    if (this.fileBytes + kept <= fileBytesMax) return undefined
    const { fileBytes, freeBytes } = this.options.usage()
    this.fileBytes = fileBytes + needOf(bytes)
    if (this.fileBytes + kept <= fileBytesMax || freeBytes >= needOf(bytes) + kept) return undefined
    return (
      `the store has the ${mebibytes(fileBytesMax)} that it may have: nothing new is stored in ${path} until some of ` +
      `what is there has been taken away; what is there can be read, acknowledged and deleted`
    )
  }

  private ofDisk(bytes: number): string | undefined {
    const { path, reserve, reserveBytes, usage } = this.options
    let refusal = reserve?.refusal()
    if (refusal === undefined) {
      if (freeBytes(path) >= diskBytesMin + needOf(bytes)) return undefined
      if (usage().freeBytes >= needOf(bytes)) return undefined
      this.ranOut()
      refusal = reserve?.refusal() ?? `the disk is full: nothing new is stored in ${path}`
    }
    return usage().freeBytes >= needOf(bytes) + reserveBytes ? undefined : refusal
  }
}

/** What is kept of a file of bounded size: at most a quarter of it. */
const keptOf = ({ fileBytesMax = 0, reserveBytes }: SpaceOptions): number => Math.min(reserveBytes, fileBytesMax / 4)

const mebibytes = (bytes: number): string => `${Math.floor(bytes / mebibyte)} MiB`

const freeBytes = (path: string): number => {
  const { bavail, bsize } = statfsSync(dirname(path))
  return bavail * bsize
}
