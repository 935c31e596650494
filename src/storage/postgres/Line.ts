/**
 * A connection of its own for as long as it holds: what is locked on it is locked for that time, and other nodes are
 * heard over it where the client can listen.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Dialect } from "../sql/Dialect.ts"
import { makeSession, type Session } from "../sql/Session.ts"

/** Waits for what is told, and gives all of it; fails when the connection is lost. */
export type Told = Effect.Effect<ReadonlyArray<string>, SqlError>

export interface Line {
  readonly session: (dialect: Dialect) => Session
  /** Absent where the client cannot listen. */
  readonly listen: ((channel: string) => Effect.Effect<Told, SqlError, Scope.Scope>) | undefined
}

/** Opens a line, which is closed with the scope. */
export type OpenLine = Effect.Effect<Line, SqlError, Scope.Scope>

/** The server is to notice soon that nobody is there any more, so that what is locked is free again. */
const startupParameters = { tcp_keepalives_idle: "10", tcp_keepalives_interval: "5", tcp_keepalives_count: "3" }

/** Over a connection with these settings. */
export const overConnection = (config: PgConnection.Config): OpenLine =>
  Effect.gen(function* () {
    const connection = yield* PgConnection.make({
      ...config,
      keepAlive: "10 seconds",
      startupParameters: { ...config.startupParameters, ...startupParameters },
    })
    const pinned = yield* connection.pin
    const speaker = { executeValues: pinned.queryValues, executeRaw: pinned.query }
    return {
      session: (dialect) => makeSession(speaker, dialect),
      listen: (channel) =>
        Effect.map(pinned.listen(channel), (queue) =>
          Effect.map(Queue.takeAll(queue), (all) => all.map(({ payload }) => payload)),
        ),
    }
  })

/** Over a connection that is taken from a client. */
export const overClient = (client: SqlClient): OpenLine =>
  Effect.map(client.reserve, (connection) => ({
    session: (dialect) => makeSession(connection, dialect),
    listen: undefined,
  }))
