/**
 * Logs as encoded blocks: what is read and accepted by them is what is read and accepted message by message.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { LogId } from "../../domain/LogId.ts"
import { makeHeaders } from "../../domain/Message.ts"
import type { EncodedBlock, LogStore } from "../../storage/LogStore.ts"
import {
  acceptBlocks,
  acceptedOf,
  encodeReplicas,
  messagesIn,
  readBlocks,
  replicasFrom,
} from "../../storage/parts/ReplicaBlocks.ts"
import { contentOf, draft, otherNode, ownNode, replica, unlimited } from "./fixtures.ts"
import type { StorageSuiteOptions } from "./StorePlace.ts"
import { observe } from "./StorageModel.ts"
import { withStore } from "./withStore.ts"

const own = { topic: "t", origin: ownNode }
const foreign = { topic: "t", origin: otherNode }

/** What blocks say of each message. */
const said = (from: number, blocks: ReadonlyArray<EncodedBlock>) => replicasFrom(from, blocks).map(contentOf)

const contentsOf = (store: LogStore["Service"], log: LogId, from = 1) =>
  Effect.map(store.readLog(log, from, unlimited), (messages) => messages.map(contentOf))

/** A log of lone messages, of a large batch, of large messages, and with something deleted in each of them. */
const fill = (store: LogStore["Service"]) =>
  Effect.gen(function* () {
    for (let i = 0; i < 30; i++)
      yield* store.append([[draft("t", `lone ${i}`, { headers: i % 7 === 0 ? { i: `${i}` } : {} })]])
    yield* store.append([Array.from({ length: 3000 }, (_, i) => draft("t", `of many ${i}`, { createdAt: 1000 + i }))])
    yield* store.append([[draft("t", "x".repeat(300_000)), draft("t", "ü".repeat(100_000)), draft("t", "last")]])
    for (const offset of [3, 40, 2000, 3031]) {
      yield* store.tombstone({ log: own, from: offset, to: offset, marker: { id: `${offset}`, createdAt: 1 } })
    }
  })

export const blockTests = (options: StorageSuiteOptions): void => {
  describe("blocks", () => {
    it.live("hold a log from just an offset on, as many messages as are asked for, in memory of their own", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* fill(store)
          expect(yield* readBlocks(store, own, 4000, unlimited)).toEqual([])
          expect(yield* readBlocks(store, foreign, 1, unlimited)).toEqual([])
          const all = yield* contentsOf(store, own)
          for (const from of [1, 2, 31, 1000, 3031, 3033]) {
            for (const rows of [1, 29, 1500, 10_000]) {
              const blocks = yield* readBlocks(store, own, from, { rows, bytes: unlimited.bytes })
              // As text: it is compared at a fraction of the cost.
              const expected = all.slice(from - 1, from - 1 + rows)
              expect(JSON.stringify(said(from, blocks)) === JSON.stringify(expected)).toBe(true)
              for (const { content } of blocks) expect(content.buffer.byteLength).toBe(content.byteLength)
            }
          }
        }),
      ),
    )

    it.live("of lone messages are put together", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* fill(store)
          const blocks = yield* readBlocks(store, own, 1, { rows: 30, bytes: unlimited.bytes })
          expect(blocks.map(({ messages }) => messages)).toEqual([30])
        }),
      ),
    )

    it.live("are bounded in bytes, but for one message", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* fill(store)
          for (const bytes of [1, 1000, 250_000]) {
            let from = 1
            for (let pages = 1; from <= 3033; pages++) {
              const blocks = yield* readBlocks(store, own, from, { rows: 10_000, bytes })
              const count = messagesIn(blocks)
              expect(count).toBeGreaterThan(0)
              const size = blocks.reduce((sum, { content }) => sum + content.byteLength, 0)
              // A page ends with the block that fills it.
              if (count > 1) expect(size).toBeLessThan(bytes + 300_000)
              from += count
            }
          }
        }),
      ),
    )

    it.live("make the same log where they are accepted", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* fill(store)
          const { end, head } = { end: yield* store.end, head: 3033 }
          for (let from = 1; from <= head;) {
            const blocks = yield* readBlocks(store, own, from, { rows: 700, bytes: unlimited.bytes })
            const count = messagesIn(blocks)
            const run = yield* acceptBlocks(store, foreign, from, blocks)
            expect(run).toEqual({ head: from + count - 1, count, position: end + from, deleted: run.deleted })
            from += count
          }
          const [copy, original] = [yield* contentsOf(store, foreign), yield* contentsOf(store, own)]
          expect(JSON.stringify(copy) === JSON.stringify(original)).toBe(true)
          expect(yield* store.end).toBe(end + head)
        }),
      ),
    )

    it.live("are compared where they are there already, and refused where they leave something out", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const texts = ["one", "two", "three", "four"]
          const messages = texts.map((text, i) => replica(i + 1, text, { headers: makeHeaders({ i: text }) }))
          yield* acceptBlocks(store, foreign, 1, encodeReplicas(messages.slice(0, 2)))
          const again = yield* acceptBlocks(store, foreign, 1, encodeReplicas(messages.slice(0, 3)))
          expect(again).toEqual({ head: 3, count: 1, position: 3, deleted: [] })
          const other = encodeReplicas([replica(3, "another"), ...messages.slice(3)])
          const conflict = yield* Effect.flip(acceptBlocks(store, foreign, 3, other))
          expect(conflict).toMatchObject({ _tag: "OffsetConflict", offset: 3 })
          const gap = yield* Effect.flip(acceptBlocks(store, foreign, 5, encodeReplicas([replica(5, "five")])))
          expect(gap).toMatchObject({ _tag: "OffsetGap", expected: 4, received: 5 })
          expect(yield* store.head(foreign)).toMatchObject({ value: 3 })
        }),
      ),
    )

    it.live("of what was deleted before it came are stored as tombstones", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* store.tombstone({ log: foreign, from: 2, to: 3, marker: undefined })
          const messages = ["one", "two", "three", "four"].map((text, i) => replica(i + 1, text))
          const run = yield* acceptBlocks(store, foreign, 1, encodeReplicas(messages))
          expect(run).toMatchObject({ head: 4, count: 4, deleted: [2, 3] })
          const stored = yield* store.readLog(foreign, 1, unlimited)
          expect(stored.map(({ deleted }) => deleted)).toEqual([false, true, true, false])
          expect(acceptedOf(foreign, messages, run).map(observe)).toEqual(stored.map(observe))
        }),
      ),
    )
  })
}
