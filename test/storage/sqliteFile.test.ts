/** The files of a SQLite store: who may open them, what they must be, what is refused. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, readdirSync, renameSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { vi } from "vitest"
import type { StoreUnusable } from "../../src/domain/errors.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import { sqliteDialect } from "../../src/storage/sql/dialects/SqliteDialect.ts"
import { layerOver as sqlLayer } from "../../src/storage/sqlite/overClient.ts"
import { layer, layerOnLoop, SqliteClient } from "../../src/storage/sqlite/index.ts"
import { draft } from "../../src/testing/storage/fixtures.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

// Some tests start processes, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000 })

const holder = fileURLToPath(new URL("holder.ts", import.meta.url))

const startHolder = (path: string, how: "hold" | "close"): ChildProcess =>
  spawn(process.execPath, [holder, path, how, "sqlite"], { stdio: ["ignore", "pipe", "inherit"] })

const open = (path: string) => Effect.provide(LogStore, layerOnLoop({ path }))

const refused = (path: string): Effect.Effect<StoreUnusable> => Effect.orDie(Effect.flip(open(path)))

/** A path in a directory of its own, and the same with a store made there. */
const freshPath = Effect.map(temporaryDirectory, (directory) => join(directory, "store.db"))
const usedPath = Effect.tap(freshPath, open)

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8)

describe("a SQLite store's file", () => {
  it.live("is made with its directory, for its owner alone", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "deep", "data")
      const path = join(directory, "store.db")
      yield* Effect.gen(function* () {
        const store = yield* LogStore
        yield* store.append([[draft("t", "1")]])
        expect(readdirSync(directory).toSorted()).toEqual([
          "store.db",
          "store.db-lock",
          "store.db-reserve",
          "store.db-shm",
          "store.db-wal",
        ])
        for (const file of readdirSync(directory)) expect([file, mode(join(directory, file))]).toEqual([file, "600"])
        expect(mode(directory)).toBe("700")
      }).pipe(Effect.provide(layerOnLoop({ path })))
    }),
  )

  it.live("is held against other processes, who are told by whom, until its holder dies", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      const child = startHolder(path, "hold")
      yield* Effect.promise(() => once(child.stdout!, "data"))
      const error = yield* refused(path)
      expect(error).toMatchObject({ reason: "held", message: `${path} is held by process ${child.pid}` })
      const inWorker = yield* Effect.flip(Effect.provide(LogStore, layer({ path })))
      expect(inWorker).toMatchObject({ reason: "held", message: error.message })
      child.kill("SIGKILL")
      yield* Effect.promise(() => once(child, "exit"))
      const end = yield* Effect.provide(
        Effect.flatMap(LogStore, (store) => store.end),
        layerOnLoop({ path }),
      )
      expect(end).toBe(1)
    }),
  )

  it.live("is held within one process too, by whatever path it is reached", () =>
    Effect.gen(function* () {
      const path = yield* usedPath
      const link = `${path}-link`
      symlinkSync(path, link)
      yield* Effect.gen(function* () {
        yield* LogStore
        const error = yield* refused(link)
        expect(error).toMatchObject({ reason: "held", message: `${link} is held by this process already` })
      }).pipe(Effect.provide(layerOnLoop({ path })))
      yield* open(link)
    }),
  )

  it.live("lets the process end once it is closed", () =>
    Effect.gen(function* () {
      const child = startHolder(yield* freshPath, "close")
      const [code] = yield* Effect.promise(() => once(child, "exit"))
      expect(code).toBe(0)
    }),
  )

  it.live("is refused where it is not a database, and left as it is", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      const text = "This is a letter, and no database.\n".repeat(100)
      writeFileSync(path, text)
      const error = yield* refused(path)
      expect(error).toMatchObject({ reason: "not a database", message: `${path} is not a SQLite database` })
      expect(statSync(path).size).toBe(text.length)
    }),
  )

  it.live("is refused where it is another application's database", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      const database = new DatabaseSync(path)
      database.exec("CREATE TABLE letters (text TEXT)")
      database.close()
      expect(yield* refused(path)).toMatchObject({
        reason: "not a database",
        message: `${path} is not a database of millrace, but of another application`,
      })
    }),
  )

  it.live("is refused where its format is newer, and left as it is", () =>
    Effect.gen(function* () {
      const path = yield* usedPath
      const known = sqliteDialect.migrations.length
      const database = new DatabaseSync(path)
      database.exec("UPDATE millrace_meta SET value = '99' WHERE name = 'format'")
      const error = yield* refused(path)
      expect(error).toMatchObject({
        reason: "newer format",
        message: `${path} has format 99, and this version of millrace knows formats up to ${known}`,
      })
      database.exec(`UPDATE millrace_meta SET value = '${known}' WHERE name = 'format'`)
      database.close()
      yield* open(path)
    }),
  )

  it.live("says of a block whose bytes have changed that it is damaged, and still gives the others", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      const use = <A, E>(effect: Effect.Effect<A, E, LogStore>) => Effect.provide(effect, layerOnLoop({ path }))
      const read = (topic: string) =>
        Effect.flatMap(LogStore, (store) =>
          store.readLog({ topic, origin: store.info.node }, 1, { rows: 10, bytes: 1000 }),
        )
      const sound = draft("sound", "1")
      yield* use(Effect.flatMap(LogStore, (store) => store.append([[draft("harmed", "2"), sound]])))
      const database = new DatabaseSync(path)
      const content = database.prepare("SELECT content FROM millrace_blocks WHERE last_position = 1").get()?.["content"]
      if (!(content instanceof Uint8Array)) throw new Error("there is no such block")
      content[content.length - 1]! ^= 1
      database.prepare("UPDATE millrace_blocks SET content = ? WHERE last_position = 1").run(content)
      database.close()
      expect((yield* use(read("sound"))).map(({ id }) => id)).toEqual([sound.id])
      expect(yield* use(Effect.flip(read("harmed")))).toMatchObject({
        _tag: "StorageFailed",
        message: "the block that ends at position 1 is damaged: its checksum does not fit",
      })
    }),
  )

  it.live("is refused where it cannot be written", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const isDirectory = join(directory, "directory")
      mkdirSync(isDirectory)
      const file = join(directory, "file")
      writeFileSync(file, "")
      for (const path of [isDirectory, join(file, "store.db")]) {
        const error = yield* refused(path)
        expect(error.reason).toBe("not writable")
        expect(error.message).toContain(`${path} cannot be written`)
      }
    }),
  )

  it.live("is refused where it is less durable than asked for", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      for (const filename of [":memory:", path]) {
        // Without WAL set up and without a sync: what this client gives is not enough.
        const client = Layer.effect(
          SqlClient,
          Effect.tap(SqlClient, (sql) => sql.unsafe("PRAGMA synchronous = OFF").raw),
        ).pipe(Layer.provide(SqliteClient.layer({ filename })))
        const store = sqlLayer({ name: filename, durability: "fsync" }).pipe(Layer.provide(client))
        const error = yield* Effect.flip(Effect.provide(LogStore, store))
        expect(error.reason).toBe("not durable enough")
        expect(error.message).toContain(filename)
      }
    }),
  )

  it.live("keeps writes as durable as its information says", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      const durabilityOf = (durability: "fsync" | "os" | undefined) =>
        Effect.provide(
          Effect.map(LogStore, ({ info }) => info.durability),
          layerOnLoop({ path, durability }),
        )
      expect(yield* durabilityOf(undefined)).toBe("fsync")
      expect(yield* durabilityOf("os")).toBe("os")
      expect(yield* durabilityOf("fsync")).toBe("fsync")
    }),
  )

  it.live("takes no writes once it is gone or replaced, and says so", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      yield* Effect.gen(function* () {
        const store = yield* LogStore
        yield* store.append([[draft("t", "1")]])
        renameSync(path, `${path}-moved`)
        const gone = `the file ${path} is gone`
        expect(yield* Effect.flip(store.append([[draft("t", "2")]]))).toMatchObject({
          _tag: "StorageFailed",
          message: gone,
        })
        expect(yield* Effect.flip(store.check)).toMatchObject({ message: gone })
        writeFileSync(path, "")
        expect(yield* Effect.flip(store.check)).toMatchObject({
          message: `the file ${path} was replaced by another one`,
        })
        renameSync(`${path}-moved`, path)
        yield* store.check
        expect((yield* store.append([[draft("t", "2")]])).offsets).toEqual([2])
      }).pipe(Effect.provide(layerOnLoop({ path })))
    }),
  )
})
