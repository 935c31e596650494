/**
 * A reserved connection that speaks one dialect: all SQL of this folder goes through it.
 */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Dialect } from "./Dialect.ts"

export type Values = ReadonlyArray<ReadonlyArray<unknown>>

export interface Session {
  /** Rows as arrays of columns. */
  readonly values: (sql: string, params: ReadonlyArray<unknown>) => Effect.Effect<Values, SqlError>
  /** A statement without rows. */
  readonly run: (sql: string, params: ReadonlyArray<unknown>) => Effect.Effect<unknown, SqlError>
}

/** Runs an effect with a connection that nobody else uses meanwhile. */
export const withSession = <A, E>(
  client: SqlClient,
  dialect: Dialect,
  use: (session: Session) => Effect.Effect<A, E>,
): Effect.Effect<A, E | SqlError> =>
  Effect.scoped(
    Effect.flatMap(client.reserve, (connection) =>
      use({
        values: (sql, params) => connection.executeValues(dialect.text(sql), params),
        run: (sql, params) => connection.executeRaw(dialect.text(sql), params),
      }),
    ),
  )
