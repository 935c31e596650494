/** The directory of an LMDB store: who may open it, what it must be, what is refused. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { open as openEnvironment } from "lmdb"
import { layer, layerOnLoop } from "../../src/storage/lmdb/index.ts"
import { writeMeta } from "../../src/storage/lmdb/Meta.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import { QueueStore } from "../../src/storage/QueueStore.ts"
import { draft, otherNode } from "../../src/testing/storage/fixtures.ts"
import { edit } from "./lmdbEdit.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const holder = fileURLToPath(new URL("holder.ts", import.meta.url))
const freshPath = Effect.map(temporaryDirectory, (directory) => join(directory, "store"))
const open = (path: string) => Effect.provide(LogStore, layerOnLoop({ path }))
const usedPath = Effect.tap(freshPath, open)
const refused = (path: string) => Effect.orDie(Effect.flip(open(path)))
const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8)

describe("the directory of an LMDB store", () => {
  it.live("is made, for its owner alone", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      yield* Effect.gen(function* () {
        const store = yield* LogStore
        yield* store.append([[draft("t", "1")]])
        expect(readdirSync(path).toSorted()).toEqual(["data.mdb", "data.mdb-lock", "data.mdb-reserve", "lock.mdb"])
        for (const file of readdirSync(path)) expect([file, mode(join(path, file))]).toEqual([file, "600"])
        expect(mode(path)).toBe("700")
      }).pipe(Effect.provide(layerOnLoop({ path })))
    }),
  )

  it.live("is held against other processes, who are told by whom, until its holder dies", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      const child = spawn(process.execPath, [holder, path, "hold", "lmdb"], { stdio: ["ignore", "pipe", "inherit"] })
      yield* Effect.promise(() => once(child.stdout, "data"))
      const error = yield* refused(path)
      expect(error).toMatchObject({ reason: "held", message: `${path} is held by process ${child.pid}` })
      const inWorker = yield* Effect.flip(Effect.provide(LogStore, layer({ path })))
      expect(inWorker).toMatchObject({ reason: "held", message: error.message })
      child.kill("SIGKILL")
      yield* Effect.promise(() => once(child, "exit"))
      const end = Effect.flatMap(LogStore, (store) => store.end)
      expect(yield* Effect.provide(end, layerOnLoop({ path }))).toBe(1)
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
      const args = [holder, yield* freshPath, "close", "lmdb"]
      const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] })
      const [code] = yield* Effect.promise(() => once(child, "exit"))
      expect(code).toBe(0)
    }),
  )

  it.live("is refused where there is a file in its place, or its data are none of LMDB's", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryDirectory, "letter")
      writeFileSync(file, "no store")
      expect(yield* refused(file)).toMatchObject({
        reason: "not a database",
        message: `${file} is a file, and a store of LMDB is a directory`,
      })
      const path = yield* freshPath
      mkdirSync(path)
      const text = "This is a letter, and no database.\n".repeat(1000)
      for (const content of ["", "short", text]) {
        writeFileSync(join(path, "data.mdb"), content)
        const message = `${path}/data.mdb is not a database of LMDB`
        expect(yield* refused(path)).toMatchObject({ reason: "not a database", message })
        expect(readFileSync(join(path, "data.mdb"), "utf8")).toBe(content)
      }
    }),
  )

  it.live("is refused where it is another application's environment", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      const theirs = openEnvironment({ path, noSubdir: false, overlappingSync: false })
      theirs.putSync("a", 1)
      yield* Effect.promise(() => theirs.close())
      expect(yield* refused(path)).toMatchObject({
        reason: "not a database",
        message: `${path} is not a store of millrace, but an environment of another application`,
      })
    }),
  )

  it.live("is refused where its format is newer, or it belongs to another node, and is left as it is", () =>
    Effect.gen(function* () {
      const path = yield* usedPath
      const other = yield* Effect.flip(Effect.provide(LogStore, layerOnLoop({ path, node: otherNode })))
      expect(other).toMatchObject({ reason: "other identity" })
      yield* edit(path, ({ tables }) => writeMeta(tables, "format", "2"))
      const before = readFileSync(join(path, "data.mdb"))
      expect(yield* refused(path)).toMatchObject({
        reason: "newer format",
        message: `${path} has format 2, and this version of millrace knows formats up to 1`,
      })
      expect(readFileSync(join(path, "data.mdb"))).toEqual(before)
    }),
  )

  it.live("is refused where its data are cut short", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      yield* Effect.flatMap(LogStore, (store) =>
        Effect.forEach([1, 2, 3], (i) => store.append([[draft("t", "x".repeat(2_000_000 + i))]])),
      ).pipe(Effect.provide(layerOnLoop({ path })))
      truncateSync(join(path, "data.mdb"), 3_000_000)
      expect(yield* refused(path)).toMatchObject({
        reason: "damaged",
        message: expect.stringMatching(/ is damaged: data\.mdb has 3000000 of its \d+ bytes \("millrace doctor /),
      })
    }),
  )

  it.live("takes no more writes where its data are gone or replaced, and is not made anew behind its back", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      yield* Effect.gen(function* () {
        const store = yield* LogStore
        const queues = yield* QueueStore
        yield* store.append([[draft("t", "1")]])
        renameSync(join(path, "data.mdb"), join(path, "elsewhere"))
        expect(yield* Effect.flip(store.append([[draft("t", "2")]]))).toMatchObject({
          _tag: "StorageFailed",
          message: `the file ${path}/data.mdb is gone`,
        })
        writeFileSync(join(path, "data.mdb"), "another one")
        expect(yield* Effect.flip(queues.apply([{ type: "ack", queue: "q", id: "a" }]))).toMatchObject({
          message: `the file ${path}/data.mdb was replaced by another one`,
        })
      }).pipe(Effect.provide(layerOnLoop({ path })))
    }),
  )

  it.live("is made anew where whoever made it died over it", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      mkdirSync(path)
      writeFileSync(join(path, "data.mdb-unfinished"), "half of it")
      writeFileSync(join(path, "data.mdb-unfinished-lock"), "")
      yield* open(path)
      expect(readdirSync(path).filter((name) => name.includes("unfinished"))).toEqual([])
    }),
  )
})
