/**
 * The baseline of PostgreSQL: the same messages through `@effect/sql-pg` and nothing else, a row a message, its place in
 * the log under an index, all rows of a commit in one `unnest`, which is its quickest way in; `synchronous_commit` on.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Redacted from "effect/Redacted"

const schema = [
  "CREATE SCHEMA bare",
  "CREATE TABLE bare.logs (log integer PRIMARY KEY, topic text NOT NULL UNIQUE, head bigint NOT NULL)",
  `CREATE TABLE bare.messages (
    position bigint PRIMARY KEY,
    log integer NOT NULL,
    log_offset bigint NOT NULL,
    id uuid NOT NULL,
    created_at bigint NOT NULL,
    deleted boolean NOT NULL,
    headers text,
    payload bytea NOT NULL
  )`,
  "CREATE UNIQUE INDEX messages_by_offset ON bare.messages (log, log_offset)",
  "INSERT INTO bare.logs VALUES (1, 'bench', 0)",
]

const insert = `
  INSERT INTO bare.messages (position, log, log_offset, id, created_at, deleted, headers, payload)
  SELECT position, 1, position, id, $1, false, NULL, payload
  FROM unnest($2::bigint[], $3::uuid[], $4::bytea[]) AS given (position, id, payload)`

const page = "SELECT * FROM bare.messages WHERE position > $1 ORDER BY position LIMIT $2"

export class BarePostgres {
  readonly #runtime
  #position = 0

  constructor(url: Redacted.Redacted) {
    const client = Layer.effect(PgClient.PgClient, PgClient.make({ url, maxConnections: 1 }))
    this.#runtime = ManagedRuntime.make(Layer.provide(client, Reactivity.layer))
  }

  #run<A>(use: (sql: PgClient.PgClient) => Effect.Effect<A, unknown>): Promise<A> {
    return this.#runtime.runPromise(Effect.flatMap(PgClient.PgClient, use))
  }

  /** Makes its tables. */
  create(): Promise<void> {
    return this.#run((sql) => Effect.forEach(schema, (statement) => sql.unsafe(statement), { discard: true }))
  }

  /** Inserts payloads so many times, each time in one transaction. */
  commit(payloads: ReadonlyArray<Uint8Array>, ids: ReadonlyArray<string>, times: number): Promise<void> {
    return this.#run((sql) => {
      const once = Effect.suspend(() => {
        const positions = payloads.map((_, i) => this.#position + i + 1)
        this.#position += payloads.length
        return sql.withTransaction(
          Effect.andThen(
            sql.unsafe(insert, [Date.now(), positions, ids, payloads]),
            sql.unsafe("UPDATE bare.logs SET head = $1 WHERE log = 1", [this.#position]),
          ),
        )
      })
      return Effect.gen(function* () {
        for (let i = 0; i < times; i++) yield* once
      })
    })
  }

  /** Reads so many rows of the journal, in pages. */
  readPages(pageRows: number, rows: number): Promise<void> {
    return this.#run((sql) =>
      Effect.gen(function* () {
        let after = 0n
        for (let count = 0; count < rows; count += pageRows) {
          const found = yield* sql.unsafe<{ readonly position: bigint }>(page, [after, pageRows])
          const last = found.at(-1)
          if (last === undefined) throw new Error(`there are only ${count} rows`)
          after = last.position
        }
      }),
    )
  }

  close(): Promise<void> {
    return this.#runtime.dispose()
  }
}
