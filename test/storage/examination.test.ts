/** Damage done on purpose: an examination finds each kind, names the place, and changes nothing. */
import { copyFileSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { LogStore } from "../../src/storage/LogStore.ts"
import { itemsOf } from "../../src/storage/parts/queuePage.ts"
import { QueueStore } from "../../src/storage/QueueStore.ts"
import type { ExaminationEvent } from "../../src/storage/Examination.ts"
import { examine, layerOnLoop } from "../../src/storage/sqlite/index.ts"
import { draft, ownNode, unlimited } from "../../src/testing/storage/fixtures.ts"
import { damages } from "./damages.ts"
import { discardSome, fill } from "./filled.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const makeStore = Effect.gen(function* () {
  const path = join(yield* temporaryDirectory, "store.db")
  yield* Effect.provide(fill, layerOnLoop({ path, node: ownNode }))
  return path
})

const examined = (path: string) =>
  Effect.map(Stream.runCollect(examine(path)), (events: ReadonlyArray<ExaminationEvent>) => {
    const findings = events.flatMap((event) => (event._tag === "Found" ? [event.finding] : []))
    const last = events.at(-1)
    if (last?._tag !== "Examined") throw new Error("the examination did not end")
    // Of a kind no more than a hundred are told, and that there are more.
    if (findings.length < 100) expect(last.summary.findings).toBe(findings.length)
    return { findings, summary: last.summary }
  })

const sql = (path: string, ...statements: ReadonlyArray<string>): void => {
  const database = new DatabaseSync(path)
  for (const statement of statements) database.exec(statement)
  database.close()
}

/** All that the store gives, or undefined where it gives an error instead. */
const readAll = (path: string) =>
  Effect.gen(function* () {
    const store = yield* LogStore
    const heads = yield* store.heads
    const logs = yield* Effect.forEach(heads, (head) =>
      Effect.map(store.readLog(head, 1, unlimited), (messages) => ({ head, messages })),
    )
    const queues = yield* QueueStore
    const page = yield* queues.page("mails", 0, unlimited)
    return { logs, queues: yield* queues.queues, items: itemsOf("mails", page, 0, unlimited) }
  }).pipe(Effect.provide(layerOnLoop({ path, node: ownNode })), Effect.option)

describe("an examination", () => {
  it.live("finds a store healthy, and counts what is in it", () =>
    Effect.gen(function* () {
      const path = yield* makeStore
      const { findings, summary } = yield* examined(path)
      expect(findings).toEqual([])
      expect(summary).toMatchObject({
        node: ownNode,
        logs: 4,
        messages: 22,
        queues: 1,
        items: 5,
        bytes: statSync(path).size,
      })
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
        expect(yield* examined(path)).toMatchObject({ findings: [], summary: { messages: 23 } })
      }).pipe(Effect.provide(layerOnLoop({ path })))
    }),
  )

  it.live("changes no file of a store whose process died, and sees its last commits", () =>
    Effect.gen(function* () {
      const path = yield* makeStore
      const copy = join(yield* temporaryDirectory, "copy.db")
      const files = yield* Effect.gen(function* () {
        const store = yield* LogStore
        yield* store.append([[draft("orders", "one more")]])
        for (const end of ["", "-wal", "-shm", "-lock"]) copyFileSync(`${path}${end}`, `${copy}${end}`)
        return () => ["", "-wal", "-shm", "-lock"].map((end) => readFileSync(`${copy}${end}`).toString("base64"))
      }).pipe(Effect.provide(layerOnLoop({ path })))
      const before = files()
      expect(yield* examined(copy)).toMatchObject({ findings: [], summary: { messages: 23 } })
      expect(files()).toEqual(before)
      // Without the log's index, which was never synced anyway.
      rmSync(`${copy}-shm`)
      expect(yield* examined(copy)).toMatchObject({ findings: [], summary: { messages: 23 } })
      expect(readdirSync(join(copy, "..")).toSorted()).toEqual(["copy.db", "copy.db-lock", "copy.db-wal"])
    }),
  )
})

describe("damage is found, and named", () => {
  for (const [what, { kind, refused, says, statements }] of Object.entries(damages)) {
    it.live(what, () =>
      Effect.gen(function* () {
        const path = yield* makeStore
        sql(path, ...statements)
        const before = readFileSync(path)
        const { findings } = yield* examined(path)
        expect(findings.filter((finding) => finding.kind === kind).map(({ message }) => message)).toContainEqual(
          expect.stringContaining(says),
        )
        for (const { remedy } of findings) expect(remedy).not.toBe("")
        expect(readFileSync(path).equals(before)).toBe(true)
        if (refused === undefined) return
        const error = yield* Effect.flip(Effect.provide(LogStore, layerOnLoop({ path, node: ownNode })))
        expect(error.message).toContain(refused)
        expect(error.message).not.toContain("\n")
      }),
    )
  }

  it.live("an index that lacks a row", () =>
    Effect.gen(function* () {
      const path = yield* makeStore
      const bytes = readFileSync(path)
      // One entry less in a leaf of an index.
      const pageBytes = bytes.readUInt16BE(16)
      for (let page = 1; page < bytes.length / pageBytes; page++) {
        const at = page * pageBytes
        const cells = bytes.readUInt16BE(at + 3)
        if (bytes[at] === 0x0a && cells > 10) bytes.writeUInt16BE(cells - 1, at + 3)
      }
      writeFileSync(path, bytes)
      const { findings } = yield* examined(path)
      expect(findings).toContainEqual(expect.objectContaining({ kind: "damaged database" }))
    }),
  )

  it.live("a file that was cut off", () =>
    Effect.gen(function* () {
      for (const bytes of [4096 * 3, 4096 * 3 + 100, 50]) {
        const path = yield* makeStore
        truncateSync(path, bytes)
        const { findings } = yield* examined(path)
        expect(findings.length).toBeGreaterThan(0)
        const error = yield* Effect.flip(Effect.provide(LogStore, layerOnLoop({ path })))
        expect(["damaged", "not a database"]).toContain(error.reason)
        expect(error.message).toContain(path)
      }
    }),
  )

  it.live("no database at all, an empty file, another application's", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryDirectory, "store.db")
      writeFileSync(path, "a letter")
      expect((yield* examined(path)).findings).toMatchObject([{ kind: "not a database" }])
      writeFileSync(path, "")
      expect((yield* examined(path)).findings).toMatchObject([{ kind: "not a database", message: `${path} is empty` }])
      sql(path, "CREATE TABLE letters (text TEXT)")
      expect((yield* examined(path)).findings).toMatchObject([
        { kind: "not a database", message: "the database belongs to another application" },
      ])
    }),
  )
})

const flips = Number(process.env["FLIPS"] ?? 120)

describe("a byte that changed", () => {
  it.live("anywhere in the file is found, or harms no message", () =>
    Effect.gen(function* () {
      const path = yield* makeStore
      const whole = readFileSync(path)
      const expected = yield* readAll(path)
      const kinds = new Map<string, number>()
      for (let flip = 0; flip < flips; flip++) {
        const at = yield* Random.nextIntBetween(0, whole.length)
        const bit = yield* Random.nextIntBetween(0, 8)
        const bytes = Buffer.from(whole)
        bytes[at]! ^= 1 << bit
        writeFileSync(path, bytes)
        const { findings } = yield* examined(path)
        const kind = findings[0]?.kind ?? "none"
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
        if (kind === "none") expect({ at, bit, read: yield* readAll(path) }).toEqual({ at, bit, read: expected })
        for (const end of ["-wal", "-shm"]) rmSync(`${path}${end}`, { force: true })
      }
      expect(kinds.get("block") ?? 0).toBeGreaterThan(0)
      expect(kinds.get("damaged database") ?? 0).toBeGreaterThan(0)
    }).pipe(Random.withSeed("flips")),
  )
})
