/**
 * The settings of connections from a URL, and a client with them. The URL is a secret: what is told of it is where the
 * database is, not who comes with which password.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import { StoreUnusable } from "../../domain/errors.ts"
import { sentence } from "../sql/sentence.ts"
import type { PostgresOptions } from "./PostgresOptions.ts"

export interface Server {
  /** What the store is called in errors. */
  readonly name: string
  readonly schema: string | undefined
  readonly connection: PgConnection.Config
}

const applicationName = "millrace"

/** Messages of one block, which has no bound but that of messages, come as one. */
const maxMessageSize = 1024 * 1024 * 1024

/** A lock that is not there after so long is somebody's who is stuck: the write fails, and nothing has changed. */
const lockTimeout = "15s"

/** Reads a URL. Whatever is wrong with it, the refusal does not repeat it. */
export const serverOf = ({ schema, url }: PostgresOptions): Effect.Effect<Server, StoreUnusable> =>
  Effect.suspend(() => {
    const text = Redacted.value(url)
    if (!URL.canParse(text) || !/^postgres(ql)?:$/.test(new URL(text).protocol)) {
      return new StoreUnusable({
        reason: "not available",
        message: "the URL of the database is none: it is written postgres://user:password@host:port/database",
      })
    }
    const parsed = new URL(text)
    const named = schema ?? parsed.searchParams.get("schema") ?? undefined
    const host = parsed.searchParams.get("host") ?? (parsed.host === "" ? "localhost" : parsed.host)
    const database = parsed.searchParams.get("dbname") ?? parsed.pathname.slice(1)
    return Effect.succeed({
      name: `postgres://${host}/${database}${named === undefined ? "" : `?schema=${named}`}`,
      schema: named === "" ? undefined : named,
      connection: {
        url,
        applicationName,
        startupParameters: { lock_timeout: lockTimeout, default_transaction_isolation: "read committed" },
        maxMessageSize,
        // A server that is gone without a word is noticed within half a minute.
        keepAlive: "10 seconds",
      },
    })
  })

/** A client whose commits are as durable as they have to be, where the server only has to be asked for it. */
export const connect = (
  server: Server,
  { connectionsMax = 10, durability = "fsync" }: PostgresOptions,
): Effect.Effect<
  { readonly client: SqlClient; readonly connection: PgConnection.Config },
  StoreUnusable,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const current = yield* Effect.scoped(
      Effect.flatMap(PgConnection.make(server.connection), (one) =>
        one.queryValues("SHOW synchronous_commit", [], false),
      ),
    )
    const isWeak = durability === "fsync" && current[0]?.[0] === "off"
    const connection = isWeak
      ? {
          ...server.connection,
          startupParameters: { ...server.connection.startupParameters, synchronous_commit: "local" },
        }
      : server.connection
    const client = yield* Effect.provide(
      PgClient.make({ ...connection, maxConnections: connectionsMax }),
      Reactivity.layer,
    )
    return { client, connection }
  }).pipe(
    Effect.catchTag("SqlError", (error) =>
      Effect.fail(
        new StoreUnusable({ reason: "not available", message: `${server.name} cannot be reached: ${sentence(error)}` }),
      ),
    ),
  )
