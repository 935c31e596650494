/**
 * The laws of queues on every storage and over gRPC, and the bugs that they must find. `LAW_RUNS` sets how many programs
 * each test runs.
 */
import { afterAll, describe, expect, it } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Context, Effect, Layer } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { GrpcServer, layerQueues } from "../../src/protocol/grpc/index.ts"
import * as Queues from "../../src/queues/index.ts"
import * as Lmdb from "../../src/storage/lmdb/index.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Postgres from "../../src/storage/postgres/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import type { StoreServices } from "../../src/storage/Stores.ts"
import * as QueueLaws from "../../src/testing/queueLaws.ts"
import { layerNode } from "../protocol/grpc/TestNode.ts"
import { sharedServer, skipsPostgres } from "../support/postgresServer.ts"
import * as Planted from "./plantedBugs.ts"

const runs = Number(process.env["LAW_RUNS"] ?? 500)

const directory = mkdtempSync(join(tmpdir(), "millrace-laws-"))
let files = 0
const file = () => ({ path: join(directory, `${++files}.sqlite`) })
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const worldOver = <E>(stores: Layer.Layer<StoreServices, E>) => ({
  layer: Queues.layer.pipe(Layer.provide(stores)),
  reopens: true,
})
const memory = () => worldOver(Memory.layer({ disk: Memory.makeDisk() }))

/** A node and its client, both of which are there again after a restart. */
const remote = () => {
  const disk = Memory.makeDisk()
  const layer = Layer.unwrap(
    Effect.map(Layer.build(Layer.fresh(layerNode({ disk }))), (services) =>
      layerQueues({ url: Context.get(services, GrpcServer).url }),
    ),
  )
  return { layer, reopens: true }
}

describe("queues keep the laws (I6)", () => {
  it.live("in memory", () => QueueLaws.fifo(memory, { runs }), 120_000)

  // Files, threads and nodes take longer to start: fewer programs, but longer ones.
  it.live(
    "in SQLite",
    () => QueueLaws.fifo(worldOver(Sqlite.layerOnLoop(file())), { runs: runs / 5, stepsMax: 20 }),
    120_000,
  )
  it.live(
    "in SQLite in a thread of its own",
    () => QueueLaws.fifo(worldOver(Sqlite.layer(file())), { runs: runs / 50, stepsMax: 40 }),
    120_000,
  )
  it.live(
    "in SQLite over the client of an app",
    () => {
      const client = Layer.orDie(Sqlite.SqliteClient.layer({ filename: file().path }))
      const stores = Sqlite.layerOver({ name: "the app's" }).pipe(Layer.provide(client))
      return QueueLaws.fifo(worldOver(stores), { runs: runs / 20, stepsMax: 20 })
    },
    120_000,
  )
  it.live(
    "in LMDB",
    () => QueueLaws.fifo(worldOver(Lmdb.layerOnLoop(file())), { runs: runs / 5, stepsMax: 20 }),
    120_000,
  )
  it.live(
    "in LMDB in a thread of its own",
    () => QueueLaws.fifo(worldOver(Lmdb.layer(file())), { runs: runs / 50, stepsMax: 40 }),
    120_000,
  )
  it.live("over gRPC", () => QueueLaws.fifo(remote, { runs: runs / 25, stepsMax: 30 }), 120_000)
})

describe.skipIf(skipsPostgres)("queues in PostgreSQL keep the laws (I6)", () => {
  const server = sharedServer()

  it.live(
    "over connections of its own",
    () => QueueLaws.fifo(worldOver(Postgres.layer({ url: server().url("laws") })), { runs: runs / 25, stepsMax: 20 }),
    120_000,
  )
  it.live(
    "over connections of an app's client",
    () => {
      const client = Layer.orDie(PgClient.layer(server().connection))
      const stores = Postgres.layerOver({ schema: "app" }).pipe(Layer.provide(client))
      return QueueLaws.fifo(worldOver(stores), { runs: runs / 50, stepsMax: 20 })
    },
    120_000,
  )
})

describe("the laws find", () => {
  const isFound = (bug: (typeof Planted)[keyof typeof Planted]) =>
    Effect.gen(function* () {
      const world = () => ({ ...worldOver(bug(Memory.layer({ disk: Memory.makeDisk() }))), patienceMillis: 500 })
      const broken = yield* Effect.flip(QueueLaws.fifo(world, { runs: 2000, shrink: false }))
      expect(broken._tag).toBe("LawBroken")
    })

  it.live("acknowledgements that are answered before they are stored", () => isFound(Planted.ackBeforeCommit), 60_000)
  it.live("a failed attempt that is not counted", () => isFound(Planted.attemptForgotten), 60_000)
  it.live("a dead item that leaves no trace", () => isFound(Planted.deadItemDropped), 60_000)
  it.live("an acknowledgement of something else than the front", () => isFound(Planted.anyItemIsFront), 60_000)
})
