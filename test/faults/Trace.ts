/**
 * What a program did to the files of a directory, as `shim/trace.c` noted it, and what a disk may hold of it after a power
 * cut at any place.
 *
 * Certain is what was synced: the content of a file by a sync of the file, names by a sync of the directory. Of all else
 * anything may be there: no write, all of them, some in any order, or only some of their sectors. Names keep their order,
 * as in the journal of a file system.
 */
import { readFileSync } from "node:fs"

export type Entry =
  | { readonly kind: "write"; readonly name: string; readonly offset: number; readonly data: Buffer }
  | { readonly kind: "truncate"; readonly name: string; readonly length: number }
  | { readonly kind: "sync" | "create" | "unlink"; readonly name: string }
  | { readonly kind: "rename"; readonly name: string; readonly to: string }

const headerBytes = 17

const entryOf = (kind: string, name: string, number: number, data: Buffer): Entry => {
  switch (kind) {
    case "w":
      return { kind: "write", name, offset: number, data }
    case "t":
      return { kind: "truncate", name, length: number }
    case "s":
      return { kind: "sync", name }
    case "c":
      return { kind: "create", name }
    case "u":
      return { kind: "unlink", name }
    case "r":
      return { kind: "rename", name, to: data.toString() }
    default:
      throw new Error(`the trace has an entry of kind ${JSON.stringify(kind)}`)
  }
}

export const readTrace = (path: string): ReadonlyArray<Entry> => {
  const bytes = readFileSync(path)
  const entries: Array<Entry> = []
  for (let at = 0; at + headerBytes <= bytes.length;) {
    const kind = String.fromCharCode(bytes[at]!)
    const nameBytes = bytes.readUInt32LE(at + 1)
    const number = Number(bytes.readBigUInt64LE(at + 5))
    const dataBytes = bytes.readUInt32LE(at + 13)
    at += headerBytes
    const name = bytes.toString("utf8", at, (at += nameBytes))
    entries.push(entryOf(kind, name, number, bytes.subarray(at, (at += dataBytes))))
  }
  return entries
}

type ContentEntry = Extract<Entry, { readonly kind: "write" | "truncate" }>

/** A file's bytes, and what was done to it since it was synced last. */
interface Inode {
  synced: Buffer
  readonly pending: Array<ContentEntry>
}

type NameEntry =
  | { readonly kind: "link"; readonly name: string; readonly inode: Inode }
  | { readonly kind: "unlink"; readonly name: string }

const writeTo = (content: Buffer, data: Buffer, offset: number): Buffer => {
  const end = offset + data.length
  const grown = end > content.length ? Buffer.concat([content, Buffer.alloc(end - content.length)]) : content
  data.copy(grown, offset)
  return grown
}

const applyTo = (content: Buffer, entry: ContentEntry): Buffer => {
  if (entry.kind === "write") return writeTo(content, entry.data, entry.offset)
  const cut = Buffer.alloc(entry.length)
  content.copy(cut)
  return cut
}

/** How much of what was not synced is there: nothing, all, the first of it, any of it, or any sectors of it. */
export const losses = ["nothing", "all", "the first", "any", "sectors of 512", "sectors of 4096"] as const
export type Loss = (typeof losses)[number]

/** A number from 0 up to, but not including, a bound. */
export type Chance = (bound: number) => number

/** A disk that a trace is played on, step by step. */
export class Disk {
  /** Names that are certain, names as programs see them, and the changes between the two. */
  private readonly certain = new Map<string, Inode>()
  private readonly seen = new Map<string, Inode>()
  private readonly names: Array<NameEntry> = []

  play(entry: Entry): void {
    switch (entry.kind) {
      case "create":
        return this.link(entry.name, { synced: Buffer.alloc(0), pending: [] })
      case "unlink":
        this.seen.delete(entry.name)
        this.names.push({ kind: "unlink", name: entry.name })
        return
      case "rename": {
        const inode = this.inode(entry.name)
        this.seen.delete(entry.name)
        this.names.push({ kind: "unlink", name: entry.name })
        return this.link(entry.to, inode)
      }
      case "sync":
        return entry.name === "" ? this.syncNames() : this.syncContent(this.inode(entry.name))
      default:
        this.inode(entry.name).pending.push(entry)
    }
  }

  /** The files that may be there after a power cut now. */
  image(loss: Loss, chance: Chance): ReadonlyMap<string, Buffer> {
    const there = new Map(this.certain)
    const happened = loss === "nothing" ? 0 : loss === "all" ? this.names.length : chance(this.names.length + 1)
    for (const entry of this.names.slice(0, happened)) {
      if (entry.kind === "link") there.set(entry.name, entry.inode)
      else there.delete(entry.name)
    }
    return new Map([...there].map(([name, inode]) => [name, contentOf(inode, loss, chance)]))
  }

  private link(name: string, inode: Inode): void {
    this.seen.set(name, inode)
    this.names.push({ kind: "link", name, inode })
  }

  private inode(name: string): Inode {
    const inode = this.seen.get(name)
    if (inode === undefined) throw new Error(`the trace does not say where ${name} comes from`)
    return inode
  }

  private syncNames(): void {
    for (const entry of this.names.splice(0)) {
      if (entry.kind === "link") this.certain.set(entry.name, entry.inode)
      else this.certain.delete(entry.name)
    }
  }

  private syncContent(inode: Inode): void {
    for (const entry of inode.pending.splice(0)) inode.synced = applyTo(inode.synced, entry)
  }
}

const contentOf = ({ pending, synced }: Inode, loss: Loss, chance: Chance): Buffer => {
  const first = loss === "the first" ? chance(pending.length + 1) : pending.length
  let content: Buffer = Buffer.from(synced)
  for (const [i, entry] of pending.entries()) {
    if (loss === "nothing" || i >= first) break
    if (loss === "any" && chance(2) === 0) continue
    const sector = loss === "sectors of 512" ? 512 : loss === "sectors of 4096" ? 4096 : undefined
    if (sector === undefined) content = applyTo(content, entry)
    else if (entry.kind === "truncate") content = chance(2) === 0 ? content : applyTo(content, entry)
    else content = writeSectors(content, entry.data, entry.offset, sector, chance)
  }
  return content
}

/** Writes what falls into some of the sectors. */
const writeSectors = (content: Buffer, data: Buffer, offset: number, sector: number, chance: Chance): Buffer => {
  let written = content
  for (let at = 0; at < data.length;) {
    const next = Math.min(data.length, (Math.floor((offset + at) / sector) + 1) * sector - offset)
    if (chance(2) === 0) written = writeTo(written, data.subarray(at, next), offset + at)
    at = next
  }
  return written
}
