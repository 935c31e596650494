/** The SQLite store over the client of an app keeps the contract of stores. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { layerOver, SqliteClient } from "../../src/storage/sqlite/index.ts"
import { storageSuite } from "../../src/testing/storageSuite.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

storageSuite("sqlite over a client", {
  isHeld: false,
  programs: 20,
  makePlace: Effect.map(temporaryDirectory, (directory) => ({
    open: (options) =>
      layerOver({ ...options, name: "the database of the app" }).pipe(
        Layer.provide(Layer.orDie(SqliteClient.layer({ filename: join(directory, "app.db") }))),
      ),
  })),
})
