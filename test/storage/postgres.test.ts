/** The store in PostgreSQL keeps the contract of stores, over connections of its own and over those of an app's client. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { layer, layerOver } from "../../src/storage/postgres/index.ts"
import { storageSuite } from "../../src/testing/storageSuite.ts"
import { sharedServer, skipsPostgres } from "../support/postgresServer.ts"

describe.skipIf(skipsPostgres)("a store in PostgreSQL", () => {
  const server = sharedServer()
  let schemas = 0
  /** A schema of its own is what a file is to SQLite. */
  const newSchema = () => `store_${++schemas}`

  storageSuite("postgres", {
    programs: 15,
    isShared: true,
    makePlace: Effect.sync(() => {
      const url = server().url(newSchema())
      return { open: (options) => layer({ ...options, url }) }
    }),
  })

  storageSuite("postgres over a client", {
    programs: 5,
    isShared: true,
    makePlace: Effect.sync(() => {
      const schema = newSchema()
      const client = PgClient.layer({ ...server().connection, maxConnections: 4 })
      return { open: (options) => layerOver({ ...options, schema }).pipe(Layer.provide(Layer.orDie(client))) }
    }),
  })
})
