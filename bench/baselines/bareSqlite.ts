/**
 * The baseline of the durable plane: the same rows in the same schema through `node:sqlite` and nothing else. One
 * prepared statement for each row, on the main thread, as one writes it without thinking of a bus; WAL and
 * synchronous=FULL, as millrace has it.
 */
import { DatabaseSync } from "node:sqlite"

export class BareSqlite {
  readonly #database: DatabaseSync
  readonly #insert
  readonly #head
  readonly #end
  readonly #page
  #position: number

  /** Opens a file that a store has made and closed, so that the schema is the store's own. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path)
    this.#database.exec("PRAGMA journal_mode = wal; PRAGMA synchronous = FULL")
    this.#database.exec(
      "INSERT OR IGNORE INTO millrace_logs (log, topic, tenant, line, device, head) VALUES (1000, 'bare', 'a', 'b', 'c', 0)",
    )
    this.#insert = this.#database.prepare(
      `INSERT INTO millrace_messages (position, log, log_offset, id, created_at, deleted, headers, payload)
       VALUES (?, 1000, ?, ?, ?, 0, NULL, ?)`,
    )
    this.#head = this.#database.prepare("UPDATE millrace_logs SET head = ? WHERE log = 1000")
    this.#end = this.#database.prepare("UPDATE millrace_journal SET last_position = ? WHERE one = 1")
    this.#page = this.#database.prepare(
      `SELECT position, log, log_offset, id, created_at, deleted, headers, payload FROM millrace_messages
       WHERE position > ? ORDER BY position LIMIT ?`,
    )
    const row = this.#database.prepare("SELECT last_position AS position FROM millrace_journal").get()
    this.#position = Number(row?.["position"])
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
