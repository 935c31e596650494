/**
 * The laws of named cursors on every storage and over gRPC, and the bugs that they must find. `LAW_RUNS` sets how many
 * programs each test runs.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Layer } from "effect"
import * as Lmdb from "../../src/storage/lmdb/index.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Postgres from "../../src/storage/postgres/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import { type CursorWorld, namedCursors } from "../../src/testing/cursorLaws.ts"
import { atNodes, epochNotChecked, inProcess, movedBeforeHandled, overGrpc, type WorldOptions } from "./cursorWorld.ts"
import { sharedServer, skipsPostgres } from "../support/postgresServer.ts"
import { jittered } from "./jitter.ts"
import { nodeNamed, threeNodes } from "./sharedMemory.ts"

const runs = Number(process.env["LAW_RUNS"] ?? 150)

const memory = () => Memory.layer({ disk: Memory.makeDisk() })

/** A new file, which is there until the tests of this file are over. */
const directory = mkdtempSync(join(tmpdir(), "millrace-cursor-laws-"))
let files = 0
const file = () => ({ path: join(directory, `${++files}.sqlite`) })
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe("named cursors keep their laws", () => {
  it.live("in memory", () => namedCursors(() => inProcess(memory()), { runs }), 120_000)
  it.live(
    "in memory that takes its time",
    () => namedCursors(() => inProcess(jittered(memory(), 1)), { runs }),
    120_000,
  )
  it.live(
    "in SQLite",
    () => {
      const world = inProcess(Sqlite.layerOnLoop(file()))
      return namedCursors(() => world, { runs: runs / 5 })
    },
    120_000,
  )
  it.live(
    "in SQLite in a thread of its own",
    () => {
      const world = inProcess(Sqlite.layer(file()))
      return namedCursors(() => world, { runs: runs / 30, stepsMax: 30 })
    },
    120_000,
  )
  it.live(
    "in SQLite over the client of an app",
    () => {
      const client = Layer.orDie(Sqlite.SqliteClient.layer({ filename: file().path }))
      const world = inProcess(Sqlite.layerOver({ name: "the app's" }).pipe(Layer.provide(client)))
      return namedCursors(() => world, { runs: runs / 15 })
    },
    120_000,
  )
  it.live(
    "in LMDB",
    () => {
      const world = inProcess(Lmdb.layerOnLoop(file()))
      return namedCursors(() => world, { runs: runs / 5 })
    },
    120_000,
  )
  it.live(
    "in LMDB in a thread of its own",
    () => {
      const world = inProcess(Lmdb.layer(file()))
      return namedCursors(() => world, { runs: runs / 30, stepsMax: 30 })
    },
    120_000,
  )
  it.live(
    "at several nodes on one store in memory, with hints that are late, out of order or lost",
    () => {
      let seed = 0
      const world = () => {
        const [here, there] = threeNodes(++seed)
        return atNodes(here, there)
      }
      return namedCursors(world, { runs })
    },
    120_000,
  )
  it.live("over gRPC", () => namedCursors(() => overGrpc(memory()), { runs: runs / 15 }), 120_000)
})

describe.skipIf(skipsPostgres)("named cursors in PostgreSQL keep their laws", () => {
  const server = sharedServer()

  it.live(
    "over connections of its own",
    () => {
      const world = inProcess(Postgres.layer({ url: server().url("laws") }))
      return namedCursors(() => world, { runs: runs / 15 })
    },
    120_000,
  )
  it.live(
    "over connections of an app's client",
    () => {
      const client = Layer.orDie(PgClient.layer(server().connection))
      const world = inProcess(Postgres.layerOver({ schema: "app" }).pipe(Layer.provide(client)))
      return namedCursors(() => world, { runs: runs / 30 })
    },
    120_000,
  )
  it.live(
    "at several nodes",
    () => {
      const at = (device: string) => Postgres.layer({ url: server().url("nodes"), node: nodeNamed(device) })
      const world = atNodes(at("one"), at("two"))
      return namedCursors(() => world, { runs: runs / 15 })
    },
    120_000,
  )
})

/** The suite as it is, over a bug: it must fail. */
const isFound = (world: (options: WorldOptions) => CursorWorld, options: WorldOptions) =>
  Effect.gen(function* () {
    const impatient = () => ({ ...world(options), patienceMillis: 500 })
    const broken = yield* Effect.flip(namedCursors(impatient, { runs: 1000, shrink: false }))
    expect(broken._tag).toBe("LawBroken")
    return broken.message
  })

describe("the laws of named cursors find", () => {
  it.live("a cursor that moves before its messages are handled", () =>
    Effect.map(
      isFound((options) => inProcess(memory(), options), { decorate: movedBeforeHandled }),
      (message) => expect(message).toContain("skipped"),
    ),
  )
  it.live("an epoch that nobody checks", () =>
    isFound((options) => inProcess(memory(), options), { plant: epochNotChecked }),
  )
})
