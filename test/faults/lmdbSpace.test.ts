/**
 * The space of an LMDB store: its file has a bound, or its disk none left. What is new is refused, what takes away goes on,
 * and what was taken away makes room for new things although the file does not shrink.
 */
import { appendFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { vi } from "vitest"
import { CursorStore } from "../../src/storage/CursorStore.ts"
import { packItems } from "../../src/storage/parts/ItemBlock.ts"
import { layer, layerOnLoop } from "../../src/storage/lmdb/index.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import { type QueueOperation, QueueStore } from "../../src/storage/QueueStore.ts"
import { RecordStore } from "../../src/storage/RecordStore.ts"
import { noHeaders } from "../../src/domain/Message.ts"
import { defaultNodeId } from "../../src/domain/NodeId.ts"
import { draft } from "../../src/testing/storage/fixtures.ts"
import * as Program from "../crash/Program.ts"
import { diskDirectory } from "../storage/temporaryDirectory.ts"
import * as SmallDisk from "./smallDisk.ts"

// Hundreds of commits that are synced, on a disk that others use.
vi.setConfig({ testTimeout: 120_000 })

const mebibyte = 1024 * 1024

const enqueueOne = (id: string, bytes: number): QueueOperation => ({
  type: "enqueue",
  queue: "q",
  blocks: packItems([
    {
      id,
      topic: "t",
      source: defaultNodeId,
      target: undefined,
      createdAt: 1000,
      headers: noHeaders,
      payload: Buffer.alloc(bytes, id),
      death: undefined,
    },
  ]),
})

/** Enqueues until it is refused. Gives how many were taken, and what was said. */
const fill = (bytes: number) =>
  Effect.gen(function* () {
    const queues = yield* QueueStore
    for (let taken = 0; ; taken++) {
      const came = yield* Effect.result(queues.apply([enqueueOne(`item ${taken}`, bytes)]))
      if (came._tag === "Failure") return { taken, error: came.failure }
    }
  })

/** Acknowledges so many items, each in a commit of its own. */
const drain = (first: number, items: number) =>
  Effect.gen(function* () {
    const queues = yield* QueueStore
    for (let sequence = first; sequence < first + items; sequence++) {
      const [result] = yield* queues.apply([{ type: "ackRange", queue: "q", first: sequence, last: sequence }])
      expect(result).toEqual({ type: "ackRange", removed: 1 })
    }
  })

describe("an LMDB store of bounded size", () => {
  it.live("refuses what is new when it has its size, and takes it again when enough has been taken away", () =>
    Effect.gen(function* () {
      const path = join(yield* diskDirectory, "store")
      const options = { path, fileBytesMax: 24 * mebibyte, reserveBytes: 4 * mebibyte }
      const size = () => statSync(join(path, "data.mdb")).size
      yield* Effect.gen(function* () {
        const logs = yield* LogStore
        const queues = yield* QueueStore
        const { error, taken } = yield* fill(100_000)
        expect(error).toMatchObject({
          _tag: "StorageFull",
          message: expect.stringMatching(/^the store has the 24 MiB that it may have: nothing new is stored in /),
        })
        expect(taken).toBeGreaterThan(100)
        // What is small finds its place for a while.
        const small = yield* fill(1)
        expect(small.error).toMatchObject({ _tag: "StorageFull" })
        expect(yield* Effect.flip(logs.append([[draft("t", "new")]]))).toMatchObject({ _tag: "StorageFull" })
        expect(yield* Effect.flip(logs.check)).toMatchObject({ _tag: "StorageFull" })

        // One by one, and a cursor that moves with it: hundreds of commits that find their pages.
        yield* drain(1, 50)
        const cursors = yield* CursorStore
        const records = yield* RecordStore
        const filter = { topics: "#", origin: undefined }
        const { epoch } = yield* cursors.claim({ name: "c", filter, position: 0, at: 1 })
        for (let position = 1; position <= 300; position++) {
          expect(yield* cursors.move([{ name: "c", epoch, position, at: 1 }])).toEqual([true])
          if (position % 10 === 0) yield* records.write({ put: [{ key: "place", value: `${position}` }], remove: [] })
        }
        yield* drain(51, taken + small.taken - 60)
        expect(size()).toBeLessThanOrEqual(24 * mebibyte)

        // The pages are there again, and the file has not grown.
        yield* logs.check
        yield* logs.append([[draft("t", "new")]])
        const again = yield* fill(100_000)
        expect(again.taken).toBeGreaterThan(taken / 2)
        expect(size()).toBeLessThanOrEqual(24 * mebibyte)
        expect((yield* queues.queues)[0]).toMatchObject({ depth: 10 + again.taken })
      }).pipe(Effect.provide(layerOnLoop(options)))
    }),
  )

  it.live("grows by itself where it has no bound, and not under those who read again and again", () =>
    Effect.gen(function* () {
      const path = join(yield* diskDirectory, "store")
      yield* Effect.gen(function* () {
        const logs = yield* LogStore
        const queues = yield* QueueStore
        for (let i = 0; i < 8; i++) yield* logs.append([[draft("t", "x".repeat(3_000_000))]])
        const size = statSync(join(path, "data.mdb")).size
        expect(size).toBeGreaterThan(24_000_000)
        // Every page that is read would keep those of later commits, if reading went on meanwhile.
        for (let i = 1; i <= 150; i++) {
          yield* queues.apply([enqueueOne(`item ${i}`, 50_000)])
          yield* queues.page("q", 0, { rows: 10, bytes: 1000 })
          yield* logs.readJournal(0, { topics: "#", origin: undefined }, { rows: 1, bytes: 1000 })
          yield* queues.apply([{ type: "ackRange", queue: "q", first: i, last: i }])
        }
        expect(statSync(join(path, "data.mdb")).size - size).toBeLessThan(4 * mebibyte)
      }).pipe(Effect.provide(layer({ path })))
    }),
  )
})

describe("an LMDB store whose reader was killed", () => {
  it.live("uses again what it had read", () =>
    Effect.gen(function* () {
      const path = join(yield* diskDirectory, "store")
      yield* Effect.gen(function* () {
        const queues = yield* QueueStore
        yield* queues.apply([enqueueOne("item", 50_000)])
        const reader = yield* Program.start([Program.pathTo(import.meta.url, "./lmdbReaderApp.ts"), path])
        yield* reader.until(({ stdoutBytes }) => stdoutBytes > 0)
        const size = () => statSync(join(path, "data.mdb")).size
        const before = size()
        const work = (items: number) =>
          Effect.gen(function* () {
            for (let i = 0; i < items; i++) {
              const [result] = yield* queues.apply([enqueueOne("item", 50_000)])
              if (result?.type !== "enqueue") throw new Error("it was not enqueued")
              const last = result.firstSequence
              yield* queues.apply([{ type: "ackRange", queue: "q", first: last - 1, last: last - 1 }])
            }
          })
        // While it reads, nothing of what it sees is used again.
        yield* work(100)
        expect(size() - before).toBeGreaterThan(4 * mebibyte)
        yield* reader.end("SIGKILL")
        yield* work(200)
        const settled = size()
        yield* work(400)
        expect(size() - settled).toBeLessThan(mebibyte)
      }).pipe(Effect.scoped, Effect.provide(layerOnLoop({ path })))
    }),
  )
})

describe.skipIf(SmallDisk.obstacle !== undefined)("an LMDB store on a disk with nothing left", () => {
  it.live("gives up its reserve for what takes away, and says so to everybody else", () =>
    Effect.gen(function* () {
      const disk = yield* SmallDisk.make(32 * mebibyte)
      const path = join(disk, "store")
      const reserveBytes = 4 * mebibyte
      const reserve = () => statSync(join(path, "data.mdb-reserve")).size
      yield* Effect.gen(function* () {
        const logs = yield* LogStore
        const queues = yield* QueueStore
        for (let i = 1; i <= 200; i++) yield* queues.apply([enqueueOne(`item ${i}`, 1000)])
        yield* Effect.sync(reserve).pipe(
          Effect.repeat({ until: (size) => size === reserveBytes, schedule: Schedule.spaced("5 millis") }),
        )
        // Somebody else takes all that is left, to the last byte.
        const fillDisk = (bytes: number) => {
          try {
            for (;;) appendFileSync(join(disk, "ballast"), Buffer.alloc(bytes, 1))
          } catch {
            // It is full.
          }
        }
        fillDisk(65_536)
        fillDisk(4096)
        // LMDB finds no space when it looks for some, and then what was kept.
        const cursors = yield* CursorStore
        const filter = { topics: "t".repeat(1000), origin: undefined }
        for (let i = 0; i < 1000; i++) yield* cursors.claim({ name: `${i}`, filter, position: 0, at: 1 })
        expect(reserve()).toBe(0)
        expect(yield* Effect.flip(logs.append([[draft("t", "new")]]))).toMatchObject({
          _tag: "StorageFull",
          message: expect.stringContaining("the disk is full: nothing new is stored until 6 MiB are free in "),
        })
        yield* drain(1, 200)
        expect((yield* queues.queues)[0]).toMatchObject({ depth: 0, lastSequence: 200 })
      }).pipe(Effect.provide(layerOnLoop({ path, reserveBytes })))
    }),
  )
})
