/**
 * An LMDB environment: its tables, and transactions on them. Everything here is synchronous.
 *
 * A transaction that writes is one call of `mdb_txn_commit` on this thread: the changed pages are written, `fdatasync`,
 * then the page that makes them count, through a descriptor that syncs each write (`O_DSYNC`). It is durable when the call
 * returns: `overlappingSync`, the default of the package, which lets a commit be seen before it is on the disk, is off, and
 * so is all that syncs less. With durability `os` the last of these writes is not waited for: a power cut may then undo
 * the last commit, never damage the ones before it.
 *
 * The map of the file grows by itself, and always has room: this build of LMDB knows no full map.
 */
import { ABORT, type Database, open, type RootDatabase, type Transaction } from "lmdb"
import { type TableName, tableNames } from "./Layout.ts"

type Binary = Database<Buffer, Buffer>

/** Room for tables of versions to come. */
const tablesMax = 24

const binary = { encoding: "binary", keyEncoding: "binary" } as const

/** The moment that everything is read as of, where there is one. */
interface Moment {
  transaction?: Transaction
}

/** Keys in the order of their bytes. A table is read as it was when the transaction began, or the first reading. */
export class Table {
  private readonly database: Binary
  private readonly moment: Moment

  constructor(database: Binary, moment: Moment) {
    this.database = database
    this.moment = moment
  }

  /** A value of the caller's own. */
  get(key: Uint8Array): Buffer | undefined {
    // Its type knows no options, it does.
    const read = this.database.getBinary as (key: Buffer, moment?: Moment) => Buffer | undefined
    const value = read.call(this.database, key as Buffer, this.moment)
    // Not a part of a buffer that others have, too: what is read is transferred to other threads.
    return value === undefined || value.byteLength === value.buffer.byteLength ? value : copyOf(value)
  }

  put(key: Uint8Array, value: Uint8Array): void {
    void this.database.put(key as Buffer, value as Buffer)
  }

  remove(key: Uint8Array): void {
    void this.database.remove(key as Buffer)
  }

  /** Keys from one on, up to but not including another. */
  keys(from: Uint8Array, to?: Uint8Array): Iterable<Buffer> {
    return this.database.getKeys({ ...this.moment, ...rangeOf(from, to) })
  }

  /** The same with values. */
  rows(from: Uint8Array, to?: Uint8Array): Iterable<{ readonly key: Buffer; readonly value: Buffer }> {
    return this.database.getRange({ ...this.moment, ...rangeOf(from, to) })
  }

  /** The first key that is not before one, nor reaches another. */
  firstKey(from: Uint8Array, to?: Uint8Array): Buffer | undefined {
    for (const key of this.keys(from, to)) return key
    return undefined
  }

  /** The last key from one on, up to and with another. */
  lastKey(from: Uint8Array, upTo: Uint8Array): Buffer | undefined {
    const range = { ...this.moment, start: upTo as Buffer, reverse: true, limit: 1 }
    for (const key of this.database.getKeys(range)) return Buffer.compare(key, from) < 0 ? undefined : key
    return undefined
  }

  /** Rows in the table. */
  get count(): number {
    return (this.database.getStats() as Stats).entryCount
  }

  /** Pages that the table takes. */
  get pages(): number {
    return pagesOf(this.database.getStats() as Stats)
  }
}

const copyOf = (bytes: Buffer): Buffer => {
  const copy = Buffer.allocUnsafeSlow(bytes.byteLength)
  bytes.copy(copy)
  return copy
}

const rangeOf = (from: Uint8Array, to: Uint8Array | undefined) =>
  to === undefined ? { start: from as Buffer } : { start: from as Buffer, end: to as Buffer }

interface Tree {
  readonly pageSize: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
  readonly entryCount: number
}

/** What `getStats` gives. */
interface Stats extends Tree {
  readonly root: Tree
  readonly free: Tree
  readonly lastPageNumber: number
  readonly lastTxnId: number
}

/** The file begins with them. */
const metaPages = 2

const pagesOf = (tree: Tree): number => tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages

/** How much of the file is in use. */
export interface Usage {
  /** Up to and with the last page that was ever used. */
  readonly fileBytes: number
  /** Of these, what nothing is in. */
  readonly freeBytes: number
}

export type Tables = Readonly<Record<TableName, Table>>

export interface EnvironmentOptions {
  /** A directory with `data.mdb` in it; with `isFile` that file itself, with any name. */
  readonly path: string
  readonly isFile?: boolean | undefined
  readonly durability: "fsync" | "os" | "memory"
  readonly readonly?: boolean | undefined
}

/** The environment is one of LMDB's, and has no store in it. */
export class NotAStore extends Error {
  override readonly name = "NotAStore"
}

export class Environment {
  readonly tables: Tables
  private readonly root: RootDatabase<Buffer, Buffer>
  private readonly moment: Moment

  private constructor(root: RootDatabase<Buffer, Buffer>, tables: Tables, moment: Moment) {
    this.root = root
    this.tables = tables
    this.moment = moment
  }

  /**
   * Opens an environment, or makes one where there is no file.
   *
   * @param tables whether tables that are missing are made, where the store's own are known to be there, or not
   * @throws NotAStore, and whatever LMDB says
   */
  static open(options: EnvironmentOptions, tables: "are made" | "must be there"): Environment {
    const { durability, isFile = false, path, readonly = false } = options
    const root: RootDatabase<Buffer, Buffer> = open({
      path,
      ...binary,
      noSubdir: isFile,
      maxDbs: tablesMax,
      overlappingSync: false,
      noMetaSync: durability === "os",
      noSync: durability === "memory",
      readOnly: readonly,
      permissionsMode: 0o600,
    } as Parameters<typeof open>[0])
    try {
      const found = new Map<TableName, Table>()
      const moment: Moment = {}
      for (const name of tableNames) {
        const settings = { ...binary, create: tables === "are made" }
        // It is not there where the environment is another application's, whatever its type says.
        const database = root.openDB(name, settings) as Binary | undefined
        if (database === undefined) throw new NotAStore(`it has no table ${name}`)
        found.set(name, new Table(database, moment))
      }
      return new Environment(root, Object.fromEntries(found) as unknown as Tables, moment)
    } catch (error) {
      void root.close()
      throw error
    }
  }

  /**
   * Runs a body in a transaction and commits it, unless the body gives `false` or throws: then nothing has changed.
   *
   * @param onCommit is called when the body is done, and LMDB about to commit
   */
  transact(body: () => boolean, onCommit: () => void): void {
    this.root.transactionSync(() => {
      if (!body()) return ABORT
      onCommit()
      return undefined
    })
  }

  /** Whether a transaction can be begun and written to. After some failures LMDB lets nobody do that any more. */
  get isUsable(): boolean {
    try {
      const nothing = Buffer.from("nothing")
      this.transact(
        () => (this.tables.meta.put(nothing, nothing), false),
        () => undefined,
      )
      return true
    } catch {
      return false
    }
  }

  /** Ends what was read: the next reading sees what is committed then, and the pages of this one may be used again. */
  endRead(): void {
    this.root.resetReadTxn()
  }

  /** Reads everything as it is now, until this is called again or the environment closed. */
  stayAtMoment(): void {
    this.moment.transaction?.done()
    this.moment.transaction = this.root.useReadTransaction()
  }

  /** Forgets readers of other processes that were killed: what they read could not be used again. */
  dropDeadReaders(): void {
    this.root.readerCheck()
  }

  get usage(): Usage {
    const { free, lastPageNumber, pageSize, root } = this.root.getStats() as Stats
    const fileBytes = (lastPageNumber + 1) * pageSize
    let used = metaPages + pagesOf(root) + pagesOf(free)
    for (const name of tableNames) used += this.tables[name].pages
    return { fileBytes, freeBytes: Math.max(fileBytes - used * pageSize, 0) }
  }

  /** Writes a copy of the environment, as it is at one moment, to a file that does not exist or is empty. */
  copyTo(path: string): Promise<void> {
    return this.root.backup(path, true)
  }

  close(): Promise<void> {
    this.moment.transaction?.done()
    delete this.moment.transaction
    return this.root.close()
  }
}
