/**
 * The ordering laws on every storage, and the bugs that they must find. `LAW_RUNS` sets how many programs each test
 * runs.
 */
import { afterAll, describe, expect, it } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Layer } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Lmdb from "../../src/storage/lmdb/index.ts"
import type { StoreServices } from "../../src/storage/Stores.ts"
import * as Postgres from "../../src/storage/postgres/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Laws from "../../src/testing/laws.ts"
import { sharedServer, skipsPostgres } from "../support/postgresServer.ts"
import { jittered } from "./jitter.ts"
import * as Planted from "./plantedBugs.ts"
import { worldOver } from "./world.ts"

const runs = Number(process.env["LAW_RUNS"] ?? 1000)

const memory = () => Memory.layer({ disk: Memory.makeDisk() })

/** A new file, which is there until the tests of this file are over. */
const directory = mkdtempSync(join(tmpdir(), "millrace-laws-"))
let files = 0
const file = () => ({ path: join(directory, `${++files}.sqlite`) })
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe("topics keep the laws (I2, I3, I4, I7, I8)", () => {
  it.live("in memory", () => Laws.ordering(() => worldOver(memory()), { runs }), 120_000)

  it.live(
    "in memory that takes its time",
    () => Laws.ordering(() => worldOver(jittered(memory(), 1)), { runs }),
    120_000,
  )

  // Files cost more to open: the programs share a few, which grow meanwhile.
  it.live("in SQLite", () => Laws.ordering(worldOver(Sqlite.layerOnLoop(file())), { runs: runs / 5 }), 120_000)

  it.live(
    "in SQLite that takes its time",
    () => Laws.ordering(worldOver(jittered(Sqlite.layerOnLoop(file()), 2)), { runs: runs / 5 }),
    120_000,
  )

  // Threads take longest to start: few programs, but long ones.
  it.live(
    "in SQLite in a thread of its own",
    () => Laws.ordering(worldOver(Sqlite.layer(file())), { runs: runs / 100, stepsMax: 60 }),
    120_000,
  )

  it.live(
    "in SQLite over the client of an app",
    () => {
      const client = Layer.orDie(Sqlite.SqliteClient.layer({ filename: file().path }))
      const store = Sqlite.layerOver({ name: "the app's" }).pipe(Layer.provide(client))
      return Laws.ordering(worldOver(store), { runs: runs / 50 })
    },
    120_000,
  )

  it.live("in LMDB", () => Laws.ordering(worldOver(Lmdb.layerOnLoop(file())), { runs: runs / 5 }), 120_000)
  it.live(
    "in LMDB in a thread of its own",
    () => Laws.ordering(worldOver(Lmdb.layer(file())), { runs: runs / 100, stepsMax: 60 }),
    120_000,
  )
})

describe.skipIf(skipsPostgres)("topics in PostgreSQL keep the laws (I2, I3, I4, I7, I8)", () => {
  const server = sharedServer()
  const url = (schema: string) => server().url(schema)

  it.live(
    "over connections of its own",
    () => Laws.ordering(worldOver(Postgres.layer({ url: url("own") })), { runs: runs / 40 }),
    120_000,
  )

  it.live(
    "over connections of an app's client",
    () => {
      const client = Layer.orDie(PgClient.layer({ url: url("app") }))
      const store = Postgres.layerOver({ schema: "app" }).pipe(Layer.provide(client))
      return Laws.ordering(worldOver(store), { runs: runs / 100 })
    },
    120_000,
  )
})

/** The suite as it is, over a bug: it must fail. */
const isFound = <E>(store: () => Layer.Layer<StoreServices, E>, feed?: Parameters<typeof worldOver>[1]) =>
  Effect.gen(function* () {
    const world = () => ({ ...worldOver(store(), feed), patienceMillis: 500 })
    const broken = yield* Effect.flip(Laws.ordering(world, { runs: 2000, shrink: false }))
    expect(broken._tag).toBe("LawBroken")
    return broken
  })

describe("the laws find", () => {
  it.live("a subscription that joins the feed after its replay", () => isFound(memory, Planted.subscribeAfterReplay))
  it.live("a subscription that does not notice that it fell behind", () => isFound(memory, Planted.noLagDetection))
  it.live("an acknowledgement before the commit", () => isFound(() => Planted.ackBeforeCommit(memory())))
  it.live("offsets that are counted from the rows that are left", () =>
    isFound(() => Planted.offsetFromMaxRow(memory())),
  )
})
