/** A backup of a store in use: whole, its own, and where it is to be only when it is whole. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { LogStore } from "../../src/storage/LogStore.ts"
import { Maintenance } from "../../src/storage/Maintenance.ts"
import { RecordStore } from "../../src/storage/RecordStore.ts"
import { writeBackup } from "../../src/storage/parts/BackupFile.ts"
import { backup, examine, layerMaintenance, layer, layerOnLoop } from "../../src/storage/sqlite/index.ts"
import { draft, ownNode } from "../../src/testing/storage/fixtures.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const log = { topic: "t", origin: ownNode }

const makePaths = Effect.map(temporaryDirectory, (directory) => {
  mkdirSync(join(directory, "data"))
  return { directory, path: join(directory, "data", "store.db"), to: join(directory, "backup.db") }
})

const kept = { key: "sync/one", value: "1" }
const append = Effect.flatMap(LogStore, (store) => store.append([[draft("t", "x".repeat(2000)), draft("t", "y")]]))
const ends = Effect.flatMap(LogStore, (store) =>
  Effect.gen(function* () {
    const head = Option.getOrElse(yield* store.head(log), () => 0)
    return { head, ...store.info, records: yield* (yield* RecordStore).records("") }
  }),
)
const findings = (path: string) =>
  Effect.map(Stream.runCollect(examine(path)), (events) => events.filter(({ _tag }) => _tag === "Found"))

describe.each([
  ["to a file beside the store's node", (path: string, to: string) => backup({ path, to })],
  [
    "as a stream of bytes",
    (path: string, to: string) =>
      Effect.flatMap(Maintenance, (maintenance) => writeBackup(maintenance.backup, { to })).pipe(
        Effect.provide(layerMaintenance({ path })),
      ),
  ],
])("a backup %s", (_, take) => {
  it.live("under load is healthy, holds all that was acknowledged before, and is a store of its own", () =>
    Effect.gen(function* () {
      const { path, to } = yield* makePaths
      let acknowledged = 0
      const before = yield* Effect.gen(function* () {
        yield* Effect.flatMap(RecordStore, (records) => records.write({ put: [kept], remove: [] }))
        const loaded = yield* Deferred.make<void>()
        const load = yield* Effect.forkChild(
          Effect.forever(
            Effect.tap(append, () => {
              acknowledged += 2
              return acknowledged > 200 ? Deferred.succeed(loaded, undefined) : Effect.void
            }),
          ),
        )
        yield* Deferred.await(loaded)
        const atBegin = acknowledged
        const bytes = yield* take(path, to)
        expect(bytes).toBe(statSync(to).size)
        yield* Fiber.interrupt(load)
        const { incarnation } = yield* ends
        return { atBegin, incarnation }
      }).pipe(Effect.provide(layer({ path, node: ownNode })))
      expect(yield* findings(to)).toEqual([])
      expect((statSync(to).mode & 0o777).toString(8)).toBe("600")
      const restored = yield* Effect.provide(ends, layerOnLoop({ path: to, node: ownNode }))
      expect(restored.head).toBeGreaterThanOrEqual(before.atBegin)
      expect(restored.head).toBeLessThanOrEqual(acknowledged + 2)
      expect(restored.incarnation).not.toBe(before.incarnation)
      expect(restored.records).toEqual([kept])
      // Opened again it is the same store: only the first opening makes it one of its own.
      const again = yield* Effect.provide(ends, layerOnLoop({ path: to, node: ownNode }))
      expect(again.incarnation).toBe(restored.incarnation)
      expect(yield* findings(to)).toEqual([])
      expect(readdirSync(join(path, "..")).toSorted()).toEqual(["store.db", "store.db-lock", "store.db-reserve"])
    }),
  )

  it.live("of a store that nobody uses changes nothing", () =>
    Effect.gen(function* () {
      const { path, to } = yield* makePaths
      yield* Effect.provide(append, layerOnLoop({ path, node: ownNode }))
      const before = readFileSync(path)
      yield* take(path, to)
      expect(readFileSync(path).equals(before)).toBe(true)
      expect(yield* findings(to)).toEqual([])
    }),
  )

  it.live("replaces no file", () =>
    Effect.gen(function* () {
      const { directory, path, to } = yield* makePaths
      yield* Effect.provide(append, layerOnLoop({ path, node: ownNode }))
      writeFileSync(to, "kept")
      expect(yield* Effect.flip(take(path, to))).toMatchObject({
        _tag: "StorageFailed",
        message: `${to} exists already, and is not replaced unless forced`,
      })
      expect(readFileSync(to, "utf8")).toBe("kept")
      expect(readdirSync(directory).toSorted()).toEqual(["backup.db", "data"])
    }),
  )

  it.live("of what is no store leaves nothing behind", () =>
    Effect.gen(function* () {
      const { directory, path, to } = yield* makePaths
      writeFileSync(path, "a letter")
      const error = yield* Effect.flip(take(path, to))
      expect(error.message).toMatch(/^the backup failed: /)
      expect(readdirSync(directory)).toEqual(["data"])
      expect(readdirSync(join(directory, "data"))).toEqual(["store.db"])
    }),
  )
})

describe("a backup", () => {
  it.live("replaces a file where that is asked for", () =>
    Effect.gen(function* () {
      const { path, to } = yield* makePaths
      yield* Effect.provide(append, layerOnLoop({ path, node: ownNode }))
      writeFileSync(to, "old")
      yield* backup({ path, to, force: true })
      expect(yield* findings(to)).toEqual([])
    }),
  )

  it.live("that is interrupted leaves nothing behind", () =>
    Effect.gen(function* () {
      const { directory, path, to } = yield* makePaths
      yield* Effect.provide(
        Effect.repeat(append, { times: 2000 }),
        layerOnLoop({ path, node: ownNode, durability: "os" }),
      )
      const begun = yield* Deferred.make<void>()
      const context = yield* Effect.context<never>()
      const fiber = yield* Effect.forkChild(
        backup({ path, to, onProgress: () => Effect.runForkWith(context)(Deferred.succeed(begun, undefined)) }),
      )
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(fiber)
      expect(readdirSync(directory)).toEqual(["data"])
    }),
  )

  it.live("of a store that lacks its last commits is taken only where that is asked for", () =>
    Effect.gen(function* () {
      const { directory, path, to } = yield* makePaths
      const copy = join(directory, "copy.db")
      yield* Effect.gen(function* () {
        yield* append
        writeFileSync(copy, readFileSync(path))
      }).pipe(Effect.provide(layerOnLoop({ path, node: ownNode })))
      expect((yield* Effect.flip(backup({ path: copy, to }))).message).toContain("lacks its last commits")
      yield* backup({ path: copy, to, incomplete: true })
      expect(yield* findings(to)).toEqual([])
      expect((yield* Effect.provide(ends, layerOnLoop({ path: to, node: ownNode }))).head).toBe(0)
    }),
  )

  it.live("whose process died is cleared away when the store is opened, and nothing else is", () =>
    Effect.gen(function* () {
      const { path } = yield* makePaths
      const left = `${path}-0f8b1b5e-7f5c-4a56-9d0e-6f1d3a3c9a11.unfinished`
      const kept = `${path}-backup`
      for (const file of [left, kept]) writeFileSync(file, "")
      yield* Effect.provide(append, layerOnLoop({ path, node: ownNode }))
      expect([existsSync(left), existsSync(kept)]).toEqual([false, true])
    }),
  )
})
