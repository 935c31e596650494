/**
 * The baseline of the durable plane: the same messages through `node:sqlite` and nothing else, as one writes it without
 * thinking of a bus. A row a message, its place in the log under an index, one prepared statement for each row, on the
 * main thread; WAL and synchronous=FULL, as millrace has it.
 */
import { DatabaseSync } from "node:sqlite"

export class BareSqlite {
  readonly #database: DatabaseSync
  readonly #insert
  readonly #insertBatch
  readonly #head
  readonly #end
  readonly #page
  #position = 0

  /** Makes a database of its own in a new file. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path)
    this.#database.exec(`
      PRAGMA journal_mode = wal;
      PRAGMA synchronous = FULL;
      CREATE TABLE journal (one INTEGER PRIMARY KEY, last_position INTEGER NOT NULL) STRICT;
      CREATE TABLE logs (log INTEGER PRIMARY KEY, topic TEXT NOT NULL UNIQUE, head INTEGER NOT NULL) STRICT;
      CREATE TABLE messages (
        position INTEGER PRIMARY KEY,
        log INTEGER NOT NULL,
        log_offset INTEGER NOT NULL,
        id TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        deleted INTEGER NOT NULL,
        headers TEXT,
        payload BLOB NOT NULL
      ) STRICT;
      CREATE UNIQUE INDEX messages_by_offset ON messages (log, log_offset);
      CREATE TABLE batches (position INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT;
      INSERT INTO journal VALUES (1, 0);
      INSERT INTO logs VALUES (1, 'bench', 0);
    `)
    this.#insert = this.#database.prepare(
      `INSERT INTO messages (position, log, log_offset, id, created_at, deleted, headers, payload)
       VALUES (?, 1, ?, ?, ?, 0, NULL, ?)`,
    )
    this.#insertBatch = this.#database.prepare("INSERT INTO batches (content) VALUES (?)")
    this.#head = this.#database.prepare("UPDATE logs SET head = ? WHERE log = 1")
    this.#end = this.#database.prepare("UPDATE journal SET last_position = ? WHERE one = 1")
    this.#page = this.#database.prepare(
      `SELECT position, log, log_offset, id, created_at, deleted, headers, payload FROM messages
       WHERE position > ? ORDER BY position LIMIT ?`,
    )
  }

  /** Inserts payloads in one commit. */
  commit(payloads: ReadonlyArray<Uint8Array>, ids: ReadonlyArray<string>): void {
    this.#database.exec("BEGIN IMMEDIATE")
    const now = Date.now()
    for (let i = 0; i < payloads.length; i++) {
      this.#position++
      this.#insert.run(this.#position, this.#position, ids[i]!, now, payloads[i]!)
    }
    this.#head.run(this.#position)
    this.#end.run(this.#position)
    this.#database.exec("COMMIT")
  }

  /** Inserts a whole batch as one value in one commit: the least that a database can be made to do. */
  commitBatch(content: Uint8Array): void {
    this.#database.exec("BEGIN IMMEDIATE")
    this.#insertBatch.run(content)
    this.#database.exec("COMMIT")
  }

  /** Reads so many rows of the journal, in pages: as objects, which is how node:sqlite gives them, or as arrays. */
  readPages(pageRows: number, rows: number, as: "objects" | "arrays"): void {
    this.#page.setReturnArrays(as === "arrays")
    let after = 0
    for (let count = 0; count < rows; count += pageRows) {
      const page: ReadonlyArray<unknown> = this.#page.all(after, pageRows)
      const last = page[page.length - 1]
      if (typeof last !== "object" || last === null) throw new Error(`there are only ${count} rows`)
      after = Number(Array.isArray(last) ? last[0] : "position" in last && last.position)
    }
  }

  close(): void {
    this.#database.close()
  }
}
