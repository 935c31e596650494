/** A store in PostgreSQL whose tables are on a disk that is full: what it cannot take is refused, and nothing else happens. */
import { chownSync, statSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { LogStore } from "../../src/storage/LogStore.ts"
import { layer } from "../../src/storage/postgres/index.ts"
import { draft, ownNode } from "../../src/testing/storage/fixtures.ts"
import { makeServer, skipsPostgres } from "../support/postgresServer.ts"
import * as SmallDisk from "./smallDisk.ts"

const mebibyte = 1024 * 1024
const large = "x".repeat(mebibyte)

describe.skipIf(skipsPostgres || SmallDisk.obstacle !== undefined)("a full disk under PostgreSQL", () => {
  it.live(
    "refuses a publish, which changes nothing, and takes it when there is room again",
    () =>
      Effect.gen(function* () {
        const disk = yield* SmallDisk.make(32 * mebibyte)
        const server = yield* makeServer()
        const { gid, uid } = statSync(server.directory)
        chownSync(disk, uid, gid)
        yield* server.query(`CREATE TABLESPACE small LOCATION '${disk}'`)
        yield* server.query("ALTER DATABASE postgres SET default_tablespace = 'small'")
        const ballast = SmallDisk.ballast(disk, 20 * mebibyte)

        const services = yield* Layer.build(layer({ url: server.url("full"), node: ownNode }))
        const store = Context.get(services, LogStore)
        let taken = 0
        const fill: Effect.Effect<string> = Effect.matchEffect(store.append([[draft("t", large)]]), {
          onSuccess: () => {
            taken += 1
            return fill
          },
          onFailure: ({ _tag, message }) => Effect.succeed(`${_tag}: ${message}`),
        })
        expect(yield* fill).toMatch(/^StorageFull: could not extend file .*No space left on device/)
        expect(taken).toBeGreaterThan(0)
        expect(yield* store.end).toBe(taken)
        yield* store.check
        expect(yield* fill).toMatch(/^StorageFull/)
        ballast.remove()
        expect((yield* store.append([[draft("t", large)]])).offsets).toEqual([taken + 1])
      }).pipe(Effect.scoped),
    60_000,
  )
})
