/**
 * The baseline of LMDB: the same messages through `lmdb` and nothing else, an entry a message under its place in the
 * journal, as objects of a shared structure, which is its quickest way; each transaction synced before it is done.
 */
import { open, type RootDatabase } from "lmdb"

interface Entry {
  readonly id: string
  readonly createdAt: number
  readonly deleted: boolean
  readonly headers: null
  readonly payload: Uint8Array
}

export class BareLmdb {
  readonly #database: RootDatabase<Entry, number>
  #position = 0

  constructor(path: string) {
    this.#database = open({ path, overlappingSync: false, sharedStructuresKey: Symbol.for("structures") })
  }

  /** Puts payloads in one transaction. */
  commit(payloads: ReadonlyArray<Uint8Array>, ids: ReadonlyArray<string>): void {
    const createdAt = Date.now()
    this.#database.transactionSync(() => {
      for (let i = 0; i < payloads.length; i++) {
        const entry: Entry = { id: ids[i]!, createdAt, deleted: false, headers: null, payload: payloads[i]! }
        void this.#database.put(++this.#position, entry)
      }
    })
  }

  /** Reads so many entries, in pages. */
  readPages(pageEntries: number, entries: number): void {
    let after = 0
    for (let count = 0; count < entries; count += pageEntries) {
      const page = [...this.#database.getRange({ start: after + 1, limit: pageEntries })]
      const last = page[page.length - 1]
      if (last === undefined) throw new Error(`there are only ${count} entries`)
      after = last.key
    }
  }

  close(): Promise<void> {
    return this.#database.close()
  }
}
