/** Looking after an LMDB store: damage is found and named, wherever it is, and backups are stores of their own. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { writeBackup } from "../../src/storage/parts/BackupFile.ts"
import type { ExaminationEvent, FindingKind } from "../../src/storage/Examination.ts"
import type { Environment } from "../../src/storage/lmdb/Environment.ts"
import { backup, examine, layer, layerMaintenance, layerOnLoop } from "../../src/storage/lmdb/index.ts"
import * as Layout from "../../src/storage/lmdb/Layout.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import { RecordStore } from "../../src/storage/RecordStore.ts"
import { Maintenance } from "../../src/storage/Maintenance.ts"
import { draft, ownNode } from "../../src/testing/storage/fixtures.ts"
import { discardSome, fill, own } from "./filled.ts"
import { edit } from "./lmdbEdit.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const makeStore = Effect.gen(function* () {
  const path = join(yield* temporaryDirectory, "store")
  yield* Effect.provide(fill, layerOnLoop({ path, node: ownNode }))
  return path
})

const examined = (path: string) =>
  Effect.map(Stream.runCollect(examine(path)), (events: ReadonlyArray<ExaminationEvent>) => {
    const last = events.at(-1)
    if (last?._tag !== "Examined") throw new Error("the examination did not end")
    return { findings: events.flatMap((e) => (e._tag === "Found" ? [e.finding] : [])), summary: last.summary }
  })

const data = (path: string): Buffer => readFileSync(join(path, "data.mdb"))

describe("an examination of an LMDB store", () => {
  it.live("finds it healthy, counts what is in it, and changes nothing", () =>
    Effect.gen(function* () {
      const path = yield* makeStore
      const before = data(path)
      const { findings, summary } = yield* examined(path)
      expect(findings).toEqual([])
      expect(summary).toMatchObject({ node: ownNode, format: 1, logs: 4, messages: 22, queues: 1, items: 5 })
      expect(summary.bytes).toBe(statSync(join(path, "data.mdb")).size)
      expect(data(path)).toEqual(before)
    }),
  )

  it.live("finds nothing wrong where messages were discarded, also at the journal's end", () =>
    Effect.gen(function* () {
      const path = yield* makeStore
      yield* Effect.flatMap(LogStore, discardSome).pipe(Effect.provide(layerOnLoop({ path })))
      const { findings, summary } = yield* examined(path)
      expect([findings, summary.messages]).toEqual([[], 11])
    }),
  )

  it.live("sees a store in use as it is now", () =>
    Effect.gen(function* () {
      const path = yield* makeStore
      yield* Effect.gen(function* () {
        const store = yield* LogStore
        yield* store.append([[draft("orders", "one more")]])
        const { findings, summary } = yield* examined(path)
        expect([findings, summary.messages]).toEqual([[], 23])
      }).pipe(Effect.provide(layer({ path })))
    }),
  )

  it.live("says so where there is no store", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      expect(yield* Effect.flip(examined(path))).toMatchObject({ reason: "not available" })
      writeFileSync(join(path, "data.mdb"), "a letter")
      expect((yield* examined(path)).findings).toMatchObject([{ kind: "not a database" }])
    }),
  )
})

/** What is done to the tables, and what is said of it. */
const damages: Readonly<Record<string, readonly [FindingKind, (environment: Environment) => void]>> = {
  "a head beyond the messages": ["head", ({ tables }) => tables.logs.put(Layout.short(1), Layout.logValue(own, 13))],
  "a journal that ends too early": [
    "end",
    ({ tables }) => tables.meta.put(Buffer.from("last_position"), Layout.long(20)),
  ],
  "a missing block": [
    "gap",
    ({ tables }) => {
      const key = tables.blocks.firstKey(Layout.long(4))!
      tables.offsets.remove(Layout.offsetKey(Layout.readBlockKey(key)))
      tables.blocks.remove(key)
    },
  ],
  "a block that its log does not know": [
    "damaged database",
    ({ tables }) => {
      const key = tables.blocks.firstKey(Layout.long(4))!
      tables.offsets.remove(Layout.offsetKey(Layout.readBlockKey(key)))
    },
  ],
  "a block with another content": [
    "block",
    ({ tables }) => {
      const key = tables.blocks.firstKey(Layout.long(1))!
      const content = tables.blocks.get(key)!
      content[content.length - 1]! ^= 1
      tables.blocks.put(key, content)
    },
  ],
  "a deleted range of a log that is not there": [
    "tombstone",
    ({ tables }) => tables.deleted.put(Layout.place(77, 1), Layout.long(2)),
  ],
  "a key without its message": [
    "key",
    ({ tables }) => {
      tables.keys.put(Layout.long(1), Layout.keyValue({ log: 3, name: "k", keyedAt: 1, digest: undefined }))
      tables.key_names.put(Layout.keyNameKey(3, "k"), Layout.long(1))
    },
  ],
  "items that are gone": [
    "queue",
    ({ tables }) => tables.queue_blocks.remove(tables.queue_blocks.lastKey(Layout.place(1, 0), Layout.place(2, 0))!),
  ],
  "a cursor beyond the end": [
    "cursor",
    ({ tables }) => {
      const cursor = { name: "worker", topics: "orders", origin: ownNode, position: 99, epoch: 1, movedAt: 1 }
      tables.cursors.put(Layout.cursorKey("worker"), Layout.cursorValue(cursor))
    },
  ],
  "a record that is none": [
    "record",
    ({ tables }) => {
      tables.records.put(Layout.recordKey("sync/one"), Layout.recordValue({ key: "sync/one", value: "{" }))
    },
  ],
  "a record under another key": [
    "record",
    ({ tables }) => {
      tables.records.put(Layout.recordKey("other"), Layout.recordValue({ key: "sync/one", value: "{}" }))
    },
  ],
  "no incarnation": ["identity", ({ tables }) => tables.meta.remove(Buffer.from("incarnation"))],
}

describe("damage of an LMDB store is found, and named", () => {
  for (const [what, [kind, damage]] of Object.entries(damages)) {
    it.live(what, () =>
      Effect.gen(function* () {
        const path = yield* makeStore
        yield* edit(path, damage)
        const before = data(path)
        const { findings } = yield* examined(path)
        expect(findings.map((finding) => finding.kind)).toContain(kind)
        expect(data(path)).toEqual(before)
      }),
    )
  }

  it.live(
    "wherever bytes have changed: nobody is ended by it, and what is given is what was stored",
    () =>
      Effect.gen(function* () {
        const path = yield* makeStore
        const sound = data(path)
        const pages = Math.floor(sound.length / 4096)
        let found = 0
        for (let round = 0; round < 12; round++) {
          const damaged = Buffer.from(sound)
          // Whole pages: a byte here and there is mostly in what nobody reads.
          const page = yield* Random.nextIntBetween(2, pages)
          damaged.fill(yield* Random.nextIntBetween(0, 256), page * 4096, (page + 1) * 4096)
          const copy = join(yield* temporaryDirectory, "copy")
          mkdirSync(copy)
          writeFileSync(join(copy, "data.mdb"), damaged)
          const { findings } = yield* examined(copy)
          if (findings.length > 0) found++
        }
        expect(found).toBeGreaterThan(0)
      }).pipe(Random.withSeed("pages")),
    60_000,
  )
})

const kept = { key: "sync/one", value: "1" }
const append = Effect.flatMap(LogStore, (store) => store.append([[draft("t", "x".repeat(2000)), draft("t", "y")]]))
const ends = Effect.flatMap(LogStore, (store) =>
  Effect.gen(function* () {
    const head = Option.getOrElse(yield* store.head({ topic: "t", origin: ownNode }), () => 0)
    return { head, ...store.info, records: yield* (yield* RecordStore).records("") }
  }),
)

describe.each([
  ["to a file", (path: string, to: string) => backup({ path, to })],
  [
    "as a stream of bytes",
    (path: string, to: string) =>
      Effect.flatMap(Maintenance, (maintenance) => writeBackup(maintenance.backup, { to })).pipe(
        Effect.provide(layerMaintenance({ path })),
      ),
  ],
])("a backup of an LMDB store %s", (_, take) => {
  it.live("under load holds all that was acknowledged before, and is a store of its own as data.mdb", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const path = join(directory, "store")
      const to = join(directory, "backup.mdb")
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
        expect(yield* take(path, to)).toBe(statSync(to).size)
        yield* Fiber.interrupt(load)
        return { atBegin, ...(yield* ends) }
      }).pipe(Effect.provide(layer({ path, node: ownNode })))
      expect((statSync(to).mode & 0o777).toString(8)).toBe("600")
      expect(readdirSync(path).toSorted()).toEqual(["data.mdb", "data.mdb-lock", "data.mdb-reserve", "lock.mdb"])
      const restoredPath = join(directory, "restored")
      mkdirSync(restoredPath)
      copyFileSync(to, join(restoredPath, "data.mdb"))
      expect((yield* examined(restoredPath)).findings).toEqual([])
      const restored = yield* Effect.provide(ends, layerOnLoop({ path: restoredPath, node: ownNode }))
      expect(restored.head).toBeGreaterThanOrEqual(before.atBegin)
      expect(restored.head).toBeLessThanOrEqual(acknowledged + 2)
      expect(restored.incarnation).not.toBe(before.incarnation)
      expect(restored.records).toEqual([kept])
      // Opened again it is the same store: only the first opening makes it one of its own.
      const again = yield* Effect.provide(ends, layerOnLoop({ path: restoredPath, node: ownNode }))
      expect(again.incarnation).toBe(restored.incarnation)
    }),
  )
})
