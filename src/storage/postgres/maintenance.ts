/**
 * Looking after the store in a PostgreSQL database, beside the nodes that use it, over a connection of its own.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { SqlClient } from "effect/sql/SqlClient"
import { StorageFailed, type StoreUnusable } from "../../domain/errors.ts"
import type { ExaminationEvent } from "../Examination.ts"
import { Maintenance } from "../Maintenance.ts"
import type { Dialect } from "../sql/Dialect.ts"
import { postgresDialect } from "../sql/dialects/PostgresDialect.ts"
import { examine as examineStore } from "../sql/examination/examine.ts"
import { withSession } from "../sql/Session.ts"
import { unusable } from "../sql/SqlStores.ts"
import type { PostgresOptions } from "./PostgresOptions.ts"
import { connect, serverOf } from "./server.ts"

/** Which store. */
export type PostgresPlace = Pick<PostgresOptions, "url" | "schema">

interface Connected {
  readonly name: string
  readonly client: SqlClient
  readonly dialect: Dialect
}

/** A connection, and the dialect of its schema. */
const connected = (place: PostgresPlace): Effect.Effect<Connected, StoreUnusable, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* serverOf(place)
    const { client } = yield* connect(server, { ...place, connectionsMax: 1 })
    const current = postgresDialect(server.schema ?? "public")
    const schema =
      server.schema ??
      (yield* unusable(
        current,
        server.name,
        withSession(client, current, (session) => session.values("SELECT current_schema()", [])),
      ))[0]?.[0]
    return { name: server.name, client, dialect: typeof schema === "string" ? postgresDialect(schema) : current }
  })

/** Looks at the store as it is at one moment. Fails where it cannot be reached. */
export const examine = (place: PostgresPlace): Stream.Stream<ExaminationEvent, StoreUnusable> =>
  Stream.unwrap(Effect.map(connected(place), ({ client, dialect }) => examineStore(client, dialect)))

/** How large the store is, with its indexes, whenever it is asked; over one connection while the scope is open. */
export const sizing = (place: PostgresPlace): Effect.Effect<Effect.Effect<number, StoreUnusable>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    let open: Connected | undefined
    const opened = Effect.suspend(() =>
      open === undefined
        ? Effect.tap(Scope.provide(connected(place), scope), (now) => Effect.sync(() => (open = now)))
        : Effect.succeed(open),
    )
    return Effect.flatMap(opened, ({ client, dialect, name }) =>
      unusable(dialect, name, withSession(client, dialect, dialect.sizeBytes)),
    )
  })

const noBackup = new StorageFailed({
  operation: "backup",
  message: "the store is in PostgreSQL: its backup is taken there, by pg_dump or with those of your other databases",
})

export const layerMaintenance = (place: PostgresPlace): Layer.Layer<Maintenance> =>
  Layer.succeed(
    Maintenance,
    Maintenance.of({
      examine: Stream.mapError(examine(place), ({ message }) => new StorageFailed({ operation: "examine", message })),
      backup: Stream.fail(noBackup),
    }),
  )
