/** A copy of the database without its log lacks commits, and is told from a store that was closed and from one whose process died. */
import { copyFileSync, existsSync, rmSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { LogStore } from "../../src/storage/LogStore.ts"
import { backup, examine, layerOnLoop } from "../../src/storage/sqlite/index.ts"
import { draft, otherNode, ownNode, unlimited } from "../../src/testing/storage/fixtures.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const log = { topic: "t", origin: ownNode }
const files = ["", "-wal", "-shm"] as const

const open = (path: string, node = ownNode) => layerOnLoop({ path, node })
const append = (text: string) => Effect.flatMap(LogStore, (store) => store.append([[draft("t", text)]]))
const stored = (path: string) =>
  Effect.flatMap(LogStore, (store) =>
    Effect.map(store.readLog(log, 1, unlimited), (messages) =>
      messages.map(({ payload }) => Buffer.from(payload).toString()),
    ),
  ).pipe(Effect.provide(open(path)))

/** Copies a store in use: what would be there after the death of its process. */
const copyInUse = (path: string, copy: string, ends: ReadonlyArray<string> = files) =>
  Effect.sync(() => {
    for (const end of ends) if (existsSync(`${path}${end}`)) copyFileSync(`${path}${end}`, `${copy}${end}`)
  })

const kindsFound = (path: string) =>
  Effect.map(Stream.runCollect(examine(path)), (events) =>
    events.flatMap((event) => (event._tag === "Found" ? [event.finding.kind] : [])),
  )

const makePaths = Effect.map(temporaryDirectory, (directory) => ({
  path: join(directory, "store.db"),
  copy: join(directory, "copy.db"),
}))

describe("a store that was copied without its log", () => {
  it.live.each([
    ["while it was new", 0, false],
    ["while it had commits in its log", 3, false],
    ["after the log had been taken in, and had begun anew", 3, true],
  ] as const)("is refused, and left as it is: %s", ([, messages, takesIn]) =>
    Effect.gen(function* () {
      const { copy, path } = yield* makePaths
      yield* Effect.gen(function* () {
        for (let i = 0; i < messages; i++) yield* append(`message ${i}`)
        if (takesIn) {
          const beside = new DatabaseSync(path)
          beside.exec("PRAGMA wal_checkpoint(RESTART)")
          beside.close()
          yield* append("last")
        }
        yield* copyInUse(path, copy, [""])
      }).pipe(Effect.provide(open(path)))
      for (let attempt = 0; attempt < 2; attempt++) {
        expect(yield* Effect.flip(stored(copy))).toMatchObject({
          reason: "incomplete",
          message: expect.stringContaining(
            "copy.db lacks its last commits: it was in use, and copy.db-wal is not",
          ) as string,
        })
        expect(yield* kindsFound(copy)).toEqual(["incomplete"])
      }
    }),
  )

  it.live("is refused after the second opening, too", () =>
    Effect.gen(function* () {
      const { copy, path } = yield* makePaths
      yield* Effect.provide(append("first"), open(path))
      yield* Effect.provide(Effect.andThen(append("second"), copyInUse(path, copy, [""])), open(path))
      expect(yield* Effect.flip(stored(copy))).toMatchObject({ reason: "incomplete" })
    }),
  )
})

describe("no alarm is given of a store", () => {
  it.live("that was closed, whatever is copied of it", () =>
    Effect.gen(function* () {
      const { copy, path } = yield* makePaths
      yield* Effect.provide(append("first"), open(path))
      expect(existsSync(`${path}-wal`)).toBe(false)
      copyFileSync(path, copy)
      expect(yield* kindsFound(copy)).toEqual([])
      expect(yield* stored(copy)).toEqual(["first"])
    }),
  )

  it.live("whose process died, at any number of openings", () =>
    Effect.gen(function* () {
      const { copy, path } = yield* makePaths
      yield* Effect.provide(copyInUse(path, copy), open(path))
      expect(yield* kindsFound(copy)).toEqual([])
      expect(yield* stored(copy)).toEqual([])
      for (let i = 1; i <= 3; i++) {
        yield* Effect.provide(Effect.andThen(append(`${i}`), copyInUse(path, copy)), open(path))
        expect(yield* kindsFound(copy)).toEqual([])
        const copied = yield* stored(copy)
        expect(copied).toHaveLength(i)
        rmSync(copy)
      }
    }),
  )

  it.live("whose process died and which was then refused to somebody", () =>
    Effect.gen(function* () {
      const { copy, path } = yield* makePaths
      yield* Effect.provide(Effect.andThen(append("first"), copyInUse(path, copy)), open(path))
      expect(yield* Effect.flip(Effect.provide(LogStore, open(copy, otherNode)))).toMatchObject({
        reason: "other identity",
      })
      expect(yield* stored(copy)).toEqual(["first"])
    }),
  )

  it.live("whose last writing failed", () =>
    Effect.gen(function* () {
      const { path } = yield* makePaths
      yield* Effect.gen(function* () {
        yield* append("first")
        // Whoever holds the file against every writer.
        const beside = new DatabaseSync(path)
        beside.exec("BEGIN IMMEDIATE")
        expect(yield* Effect.flip(append("second"))).toMatchObject({ _tag: "StorageFailed" })
        beside.close()
      }).pipe(Effect.provide(open(path)))
      expect(yield* stored(path)).toEqual(["first"])
    }),
  )
})

describe("a backup beside the log of another store", () => {
  it.live("is refused, and told what to remove; the log is not taken for its own", () =>
    Effect.gen(function* () {
      const { copy, path } = yield* makePaths
      yield* Effect.gen(function* () {
        yield* append("first")
        yield* backup({ path, to: copy })
        yield* append("second")
        copyFileSync(`${path}-wal`, `${copy}-wal`)
      }).pipe(Effect.provide(open(path)))
      expect(yield* Effect.flip(stored(copy))).toMatchObject({
        reason: "damaged",
        message: expect.stringContaining(
          "copy.db-wal beside it belongs to another store: remove copy.db-wal",
        ) as string,
      })
      expect(yield* kindsFound(copy)).toEqual(["foreign log"])
      rmSync(`${copy}-wal`)
      expect(yield* stored(copy)).toEqual(["first"])
    }),
  )
})
