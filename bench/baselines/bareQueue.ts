/**
 * The baseline of queues: the same items through `node:sqlite` and nothing else, a row an item, with prepared statements
 * on the main thread; WAL and synchronous=FULL, as millrace has it.
 */
import { DatabaseSync } from "node:sqlite"

export class BareQueue {
  readonly #database: DatabaseSync
  readonly #insert
  readonly #page
  readonly #remove
  #sequence = 0

  constructor(path: string) {
    this.#database = new DatabaseSync(path)
    this.#database.exec(`
      PRAGMA journal_mode = wal;
      PRAGMA synchronous = FULL;
      CREATE TABLE items (
        queue INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        id TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        topic TEXT NOT NULL,
        source TEXT NOT NULL,
        payload BLOB NOT NULL,
        PRIMARY KEY (queue, sequence)
      ) STRICT, WITHOUT ROWID;
    `)
    this.#insert = this.#database.prepare("INSERT INTO items VALUES (1, ?, ?, 0, ?, 'work', 'tenant/line/device', ?)")
    this.#page = this.#database.prepare(
      "SELECT sequence, id, attempts, created_at, topic, source, payload FROM items WHERE queue = 1 ORDER BY sequence LIMIT ?",
    )
    this.#remove = this.#database.prepare("DELETE FROM items WHERE queue = 1 AND sequence = ?")
  }

  /** Inserts items in one commit. */
  enqueue(payloads: ReadonlyArray<Uint8Array>, ids: ReadonlyArray<string>): void {
    this.#database.exec("BEGIN IMMEDIATE")
    const now = Date.now()
    for (let i = 0; i < payloads.length; i++) this.#insert.run(++this.#sequence, ids[i]!, now, payloads[i]!)
    this.#database.exec("COMMIT")
  }

  /** Reads so many items from the front and deletes them in one commit. Gives how many there were. */
  take(items: number): number {
    const page = this.#page.all(items)
    this.#database.exec("BEGIN IMMEDIATE")
    for (const row of page) this.#remove.run(Number(row["sequence"]))
    this.#database.exec("COMMIT")
    return page.length
  }

  close(): void {
    this.#database.close()
  }
}
