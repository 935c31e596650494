/** Damage done on purpose: an examination finds each kind, names the place, and changes nothing. */
import { copyFileSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { noHeaders, noPayload } from "../../src/domain/Message.ts"
import { CursorStore } from "../../src/storage/CursorStore.ts"
import { type ItemContent, packItems } from "../../src/storage/ItemBlock.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import { itemsOf } from "../../src/storage/queuePage.ts"
import { type QueueOperation, QueueStore } from "../../src/storage/QueueStore.ts"
import type { ExaminationEvent, Finding } from "../../src/storage/Examination.ts"
import { examine, layerOnLoop } from "../../src/storage/sqlite/index.ts"
import { draft, otherNode, ownNode, replica, unlimited } from "../../src/testing/storage/fixtures.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const own = { topic: "orders", origin: ownNode }
const theirs = { topic: "orders", origin: otherNode }

const item: ItemContent = {
  id: "",
  topic: "mails",
  source: ownNode,
  target: undefined,
  createdAt: 1000,
  headers: noHeaders,
  payload: noPayload,
  death: undefined,
}

/** A store with something of everything. Several blocks a log, a deleted range, keys, messages of another node. */
const fill = Effect.gen(function* () {
  const store = yield* LogStore
  for (let i = 1; i <= 6; i++) {
    yield* store.append([
      [draft("orders", `order ${i}`, { headers: { unit: "m" } }), draft("orders", "x".repeat(3000))],
      [draft("parcels", `parcel ${i}`, { key: `key ${i}` })],
    ])
  }
  yield* store.accept(theirs, [replica(1, "one"), replica(2, "two"), replica(3, "three")])
  yield* store.tombstone({ log: own, from: 3, to: 5, marker: { id: "marker", createdAt: 1000 } })
  yield* store.tombstone({ log: theirs, from: 2, to: 9, marker: undefined })
  const queues = yield* QueueStore
  const items = (...ids: ReadonlyArray<string>): QueueOperation => ({
    type: "enqueue",
    queue: "mails",
    blocks: packItems(ids.map((id) => ({ ...item, id, payload: Buffer.from(id) }))),
  })
  yield* queues.apply([items("a", "b", "c"), items("d"), items("e", "f")])
  yield* queues.apply([{ type: "ack", queue: "mails", id: "a" }])
  yield* queues.apply([{ type: "reject", queue: "mails", id: "b", reason: "why", at: 1000, attemptsMax: undefined }])
  const cursors = yield* CursorStore
  yield* cursors.claim({ name: "worker", filter: { topics: "orders", origin: ownNode }, position: 4, at: 1000 })
})

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

interface Damage {
  readonly kind: Finding["kind"]
  readonly says: string
  /** How the store refuses to start, where it does. */
  readonly refused?: string
  readonly statements: ReadonlyArray<string>
}

const damages: Readonly<Record<string, Damage>> = {
  "a head beyond the messages": {
    kind: "head",
    says: "the log orders@acme/press/one ends at offset 12, and 13 is noted as its head",
    refused: "is damaged: the log orders@acme/press/one ends at offset 12, and 13 is noted as its head",
    statements: ["UPDATE millrace_logs SET head = 13 WHERE log = 1"],
  },
  "a head that went back": {
    kind: "head",
    says: "the log orders@acme/press/one ends at offset 12, and 11 is noted as its head",
    refused: "is damaged: the log orders@acme/press/one ends at offset 12, and 11 is noted as its head",
    statements: ["UPDATE millrace_logs SET head = 11 WHERE log = 1"],
  },
  "a missing block": {
    kind: "gap",
    says: "the log orders@acme/press/one lacks offsets 3 to 4",
    statements: ["DELETE FROM millrace_blocks WHERE log = 1 AND last_offset = 4"],
  },
  "offsets that are there twice": {
    kind: "duplicate",
    says: "the log orders@acme/press/one has offset 2 twice",
    statements: ["UPDATE millrace_blocks SET last_offset = 3 WHERE log = 1 AND last_offset = 4"],
  },
  "positions that overlap": {
    kind: "order",
    says: "the block that ends at position 4 begins at 3, and the one before it ends at 3",
    statements: ["UPDATE millrace_blocks SET last_position = 4 WHERE last_position = 5"],
  },
  "a journal that ends too early": {
    kind: "end",
    says: "the journal ends at position 22, and 20 is noted as its end",
    refused: "is damaged: its journal ends at position 22, and 20 is noted as its end",
    statements: ["UPDATE millrace_journal SET last_position = 20"],
  },
  "a block of a log that is not there": {
    kind: "log",
    says: "the block that ends at position 3 belongs to log 77, which is not in the table of logs",
    statements: ["UPDATE millrace_blocks SET log = 77 WHERE last_position = 3"],
  },
  "a log without a name": {
    kind: "log",
    says: "log 1 has a name that none can have",
    statements: ["UPDATE millrace_logs SET topic = ' ' WHERE log = 1"],
  },
  "a block with another number of messages": {
    kind: "block",
    says: "offset 1 of the log parcels@acme/press/one, is damaged: its checksum does not fit",
    statements: ["UPDATE millrace_blocks SET content = zeroblob(20) WHERE last_position = 3"],
  },
  "a deleted range whose content is back": {
    kind: "not deleted",
    says: "offset 7 of the log orders@acme/press/one is in a deleted range and is still there",
    statements: ["UPDATE millrace_tombstones SET last_offset = 7 WHERE log = 1"],
  },
  "a deleted range beyond the head": {
    kind: "tombstone",
    says: "the deleted range 20 to 30 of the log orders@acme/press/one goes beyond its head 12",
    statements: ["INSERT INTO millrace_tombstones VALUES (1, 20, 30)"],
  },
  "deleted ranges that touch": {
    kind: "tombstone",
    says: "the deleted range 6 to 6 of the log orders@acme/press/one touches the one before it",
    statements: ["INSERT INTO millrace_tombstones VALUES (1, 6, 6)"],
  },
  "a deleted range that is forgotten": {
    kind: "marker",
    says: "says that offsets 3 to 5 of the log orders@acme/press/one are deleted, and they are not",
    statements: ["DELETE FROM millrace_tombstones WHERE log = 1"],
  },
  "a key of no message": {
    kind: "key",
    says: 'the key "key 1" points at position 1, where log 2 has no message',
    statements: ["UPDATE millrace_keys SET position = 1 WHERE name = 'key 1'"],
  },
  "another node's name in the store": {
    kind: "identity",
    says: "the store says that it belongs to acme/press/other, and has keys of what acme/press/one published",
    refused: "belongs to node acme/press/other and cannot be used as acme/press/one",
    statements: [
      `UPDATE millrace_meta SET value = '{"tenant":"acme","line":"press","device":"other"}' WHERE name = 'node'`,
    ],
  },
  "a node's name that cannot be read": {
    kind: "identity",
    says: "whose it is cannot be read: {",
    refused: "is damaged: whose it is cannot be read: {",
    statements: ["UPDATE millrace_meta SET value = '{' WHERE name = 'node'"],
  },
  "a lost incarnation": {
    kind: "identity",
    says: "the store has no incarnation",
    statements: ["DELETE FROM millrace_meta WHERE name = 'incarnation'"],
  },
  "a queue whose end is not that of its items": {
    kind: "queue",
    says: 'the queue "mails" lacks its items 7 to 9',
    refused: 'is damaged: the queue "mails" ends at sequence 6, and 9 is noted as its end',
    statements: ["UPDATE millrace_queues SET last_sequence = 9"],
  },
  "a queue whose end went back": {
    kind: "queue",
    says: 'the queue "mails" ends at sequence 6, and 5 is noted as its end',
    refused: 'is damaged: the queue "mails" ends at sequence 6, and 5 is noted as its end',
    statements: ["UPDATE millrace_queues SET last_sequence = 5"],
  },
  "a queue that begins beyond its end": {
    kind: "queue",
    says: 'the queue "mails" begins at sequence 9 and ends at 6',
    statements: ["UPDATE millrace_queues SET first_sequence = 9"],
  },
  "items that are missing in a queue": {
    kind: "queue",
    says: 'the queue "mails" lacks its items 4 to 4',
    statements: ["DELETE FROM millrace_queue_blocks WHERE last_sequence = 4"],
  },
  "items that were done and are still there": {
    kind: "queue",
    says: 'the block of the queue "mails" that ends at sequence 3 is still there, and its items are gone',
    statements: ["UPDATE millrace_queues SET first_sequence = 4"],
  },
  "items that overlap": {
    kind: "queue",
    says: 'the block of the queue "mails" that ends at sequence 5 begins at 4, within the one before it',
    statements: ["UPDATE millrace_queue_blocks SET last_sequence = 5 WHERE last_sequence = 6"],
  },
  "a damaged block of items": {
    kind: "queue",
    says: 'the block of the queue "mails" that ends at sequence 4 is damaged: its checksum does not fit',
    statements: ["UPDATE millrace_queue_blocks SET content = zeroblob(40) WHERE last_sequence = 4"],
  },
  "what items are about, changed": {
    kind: "queue",
    says: 'the block of the queue "mails" that ends at sequence 6 is damaged: its checksum does not fit',
    statements: ["UPDATE millrace_queue_blocks SET about = about || ' ' WHERE last_sequence = 6"],
  },
  "items of a queue that is not there": {
    kind: "queue",
    says: "there are items of queue 77, which is not in the table of queues",
    statements: ["UPDATE millrace_queue_blocks SET queue = 77 WHERE last_sequence = 6"],
  },
  "attempts at no item": {
    kind: "queue",
    says: 'the queue "mails" counts -1 attempts at its front',
    statements: ["UPDATE millrace_queues SET attempts = -1"],
  },
  "a cursor beyond the journal": {
    kind: "cursor",
    says: 'the cursor "worker" is at position 99, and the journal ends at 22',
    statements: ["UPDATE millrace_cursors SET position = 99"],
  },
  "a cursor of an epoch that nobody was given": {
    kind: "cursor",
    says: 'the cursor "worker" has epoch 7, and the last one that was given is 1',
    statements: ["UPDATE millrace_cursors SET epoch = 7"],
  },
  "a cursor of half a node": {
    kind: "cursor",
    says: 'the cursor "worker" is for messages that cannot be: ',
    statements: ["UPDATE millrace_cursors SET line = NULL"],
  },
  "a newer format": {
    kind: "newer format",
    says: "the store has format 99",
    refused: "has format 99, and this version of millrace knows formats up to",
    statements: ["UPDATE millrace_meta SET value = '99' WHERE name = 'format'"],
  },
  "a table that is gone": {
    kind: "unreadable",
    says: "the table millrace_keys cannot be read: no such table: millrace_keys",
    refused: "no such table: millrace_keys",
    statements: ["DROP TABLE millrace_keys"],
  },
}

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
