/**
 * Reading: pages, filters, limits.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { matches } from "../../domain/TopicFilter.ts"
import type { Draft, JournalFilter, LogStore, PageLimit } from "../../storage/LogStore.ts"
import type { StorageSuiteOptions } from "./StorePlace.ts"
import { draft, otherNode, ownNode, replica, unlimited } from "./fixtures.ts"
import { withStore } from "./withStore.ts"

type Store = LogStore["Service"]

/** All that a filter selects after a position, page by page; checks what every page promises. */
export const readPages = (
  store: Store,
  after: number,
  filter: JournalFilter | ReadonlyArray<JournalFilter>,
  limit: PageLimit,
) =>
  Effect.gen(function* () {
    const messages = []
    let position = after
    for (;;) {
      const page = yield* store.readJournal(position, filter, limit)
      expect(page.messages.length).toBeLessThanOrEqual(limit.rows)
      for (const message of page.messages) {
        expect(message.position).toBeGreaterThan(position)
        expect(message.position).toBeLessThanOrEqual(page.scannedTo)
        position = message.position
        messages.push(message)
      }
      if (page.scannedTo >= page.end) return messages
      expect(page.scannedTo).toBeGreaterThanOrEqual(position)
      expect(page.messages.length > 0 || page.scannedTo > position).toBe(true)
      position = page.scannedTo
    }
  })

const texts = (messages: ReadonlyArray<{ readonly payload: Uint8Array }>): ReadonlyArray<string> =>
  messages.map(({ payload }) => Buffer.from(payload).toString())

const lengths = (messages: ReadonlyArray<{ readonly payload: Uint8Array }>): ReadonlyArray<number> =>
  messages.map(({ payload }) => payload.byteLength)

/** Topic 0 is frequent, the others come now and then and in stretches. */
const unevenTopic = (i: number): number => (i % 7 === 0 ? Math.floor(i / 50) % 30 : i % 3 === 0 ? i % 30 : 0)

export const readTests = (options: StorageSuiteOptions): void => {
  describe("reading", () => {
    it.live("finds an empty store empty", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          expect(yield* store.end).toBe(0)
          expect(yield* store.heads).toEqual([])
          expect(yield* store.head({ topic: "t", origin: ownNode })).toEqual(Option.none())
          expect(yield* store.readLog({ topic: "t", origin: ownNode }, 1, unlimited)).toEqual([])
          expect(yield* store.readJournal(0, { topics: "#", origin: undefined }, unlimited)).toEqual({
            messages: [],
            scannedTo: 0,
            end: 0,
          })
          yield* store.check
        }),
      ),
    )

    it.live("gives a log from an offset on", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* store.append([["1", "2", "3", "4"].flatMap((text) => [draft("t", text), draft("u", `u${text}`)])])
          const log = { topic: "t", origin: ownNode }
          expect(texts(yield* store.readLog(log, 1, unlimited))).toEqual(["1", "2", "3", "4"])
          expect(texts(yield* store.readLog(log, 3, unlimited))).toEqual(["3", "4"])
          expect(texts(yield* store.readLog(log, 2, { rows: 2, bytes: 1000 }))).toEqual(["2", "3"])
          expect(yield* store.readLog(log, 5, unlimited)).toEqual([])
          expect(yield* store.readLog({ topic: "t", origin: otherNode }, 1, unlimited)).toEqual([])
          expect(yield* store.head(log)).toEqual(Option.some(4))
        }),
      ),
    )

    it.live("gives at least one message a page, however small the limit", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* store.append([["first", "second", "third"].map((text) => draft("t", text))])
          const log = { topic: "t", origin: ownNode }
          const filter = { topics: "t", origin: undefined }
          for (const limit of [
            { rows: 1, bytes: 1000 },
            { rows: 1000, bytes: 1 },
            { rows: 0, bytes: 0 },
          ]) {
            expect(texts(yield* store.readLog(log, 2, limit))).toEqual(["second"])
            const page = yield* store.readJournal(1, filter, limit)
            expect(texts(page.messages)).toEqual(["second"])
            expect([page.scannedTo, page.end]).toEqual([2, 3])
          }
        }),
      ),
    )

    it.live("bounds a page in bytes, also where messages are large", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const sizes = [10, 5000, 300_000, 200_000, 20, 1_000_000, 4096, 4097, 30]
          yield* store.append([sizes.map((size) => draft("t", "x".repeat(size)))])
          const log = { topic: "t", origin: ownNode }
          expect(lengths(yield* store.readLog(log, 1, { rows: 100, bytes: 306_000 }))).toEqual([10, 5000, 300_000])
          expect(lengths(yield* store.readLog(log, 6, { rows: 100, bytes: 100_000 }))).toEqual([1_000_000])
          expect(lengths(yield* store.readLog(log, 7, { rows: 100, bytes: 100_000 }))).toEqual([4096, 4097, 30])
          const all = yield* readPages(store, 0, { topics: "#", origin: undefined }, { rows: 100, bytes: 300_000 })
          expect(lengths(all)).toEqual(sizes)
        }),
      ),
    )

    it.live("selects by filter and origin, and leaves the bus's own topics out of wildcards", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const topics = ["a", "a/b", "a/c", "a/b/c", "b/b", "$own/b"]
          yield* store.append([topics.map((topic) => draft(topic, topic))])
          for (const topic of ["a", "a/b"]) yield* store.accept({ topic, origin: otherNode }, [replica(1, `2${topic}`)])
          const select = (filter: string, origin: JournalFilter["origin"]) =>
            Effect.map(readPages(store, 0, { topics: filter, origin }, unlimited), texts)
          for (const filter of ["#", "+", "a", "a/#", "a/+", "+/b", "+/+/c", "$own/+", "$own/#", "b", "none", "a/b"]) {
            const own = topics.filter((topic) => matches(filter, topic))
            const other = ["a", "a/b"].filter((topic) => matches(filter, topic)).map((topic) => `2${topic}`)
            expect(yield* select(filter, undefined)).toEqual([...own, ...other])
            expect(yield* select(filter, ownNode)).toEqual(own)
            expect(yield* select(filter, otherNode)).toEqual(other)
          }
          const several = [
            { topics: "a/+", origin: undefined },
            { topics: "a/b", origin: ownNode },
            { topics: "$own/#", origin: undefined },
            { topics: "+", origin: otherNode },
          ]
          expect(texts(yield* readPages(store, 0, several, unlimited))).toEqual(["a/b", "a/c", "$own/b", "2a", "2a/b"])
          expect(yield* readPages(store, 0, [], unlimited)).toEqual([])
        }),
      ),
    )

    it.live("merges few logs and scans many, with the same result", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const drafts = Array.from({ length: 1500 }, (_, i) => draft(`t/${unevenTopic(i)}`, `${i}`))
          yield* store.append([drafts])
          for (const [filter, rows] of [
            ["t/0", 100],
            ["t/29", 3],
            ["t/+", 64],
            ["#", 1000],
          ] as const) {
            for (const after of [0, 1, 49, 777, 1499]) {
              const expected = drafts.slice(after).filter(({ topic }) => matches(filter, topic))
              const limit = { rows, bytes: 1_000_000 }
              expect(texts(yield* readPages(store, after, { topics: filter, origin: undefined }, limit))).toEqual(
                texts(expected),
              )
            }
          }
        }),
      ),
    )

    it.live("finds a few logs among many", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const drafts = Array.from({ length: 900 }, (_, i) =>
            draft(i % 11 === 0 ? `few/${i % 4}` : `many/${i % 200}`, `${i}`),
          )
          yield* store.append([drafts])
          const expected = texts(drafts.filter(({ topic }) => topic.startsWith("few")))
          for (const rows of [1, 7, 1000]) {
            const found = yield* readPages(store, 0, { topics: "few/+", origin: undefined }, { rows, bytes: 1_000_000 })
            expect(texts(found)).toEqual(expected)
          }
        }),
      ),
    )

    it.live("looks at a bounded stretch of the journal, and says how far it looked", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          // More logs than are merged, all with a single message at the far end.
          const ends = Array.from({ length: 12 }, (_, i) => draft(`end/${i}`, `end ${i}`))
          for (let i = 0; i < 25; i++) {
            yield* store.append([Array.from({ length: 1000 }, () => draft("noise", ""))])
          }
          yield* store.append([ends])
          const filter = { topics: "end/+", origin: undefined }
          const first = yield* store.readJournal(0, filter, unlimited)
          expect(first.messages).toEqual([])
          expect(first.scannedTo).toBeLessThan(first.end)
          expect(first.scannedTo).toBeGreaterThan(0)
          expect(texts(yield* readPages(store, 0, filter, unlimited))).toEqual(texts(ends))
        }),
      ),
    )

    it.live("misses nothing, and repeats nothing, where a batch lies across the end of such a stretch", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const wanted: Array<Draft> = []
          for (let i = 0; i < 25; i++) {
            const batch = Array.from({ length: 300 }, (_, j) => draft(`wanted/${i % 12}`, `${i} ${j}`))
            yield* store.append([batch, Array.from({ length: 700 }, () => draft("noise", ""))])
            wanted.push(...batch)
          }
          const filter = { topics: "wanted/+", origin: undefined }
          for (const after of [0, 150]) {
            expect(texts(yield* readPages(store, after, filter, unlimited))).toEqual(texts(wanted.slice(after)))
          }
        }),
      ),
    )

    it.live("sees every write that was acknowledged before", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          for (let i = 1; i <= 30; i++) {
            const { positions } = yield* store.append([[draft(`t/${i}`, `${i}`)]])
            expect(yield* store.end).toBe(positions[0])
            const page = yield* store.readJournal(positions[0]! - 1, { topics: "#", origin: undefined }, unlimited)
            expect(texts(page.messages)).toEqual([`${i}`])
            expect(yield* store.head({ topic: `t/${i}`, origin: ownNode })).toEqual(Option.some(1))
          }
        }),
      ),
    )

    it.live("lists heads by topic, then origin", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* store.append([["b", "ab", "a", "A", "a/b", "é"].map((topic) => draft(topic, ""))])
          yield* store.accept({ topic: "a", origin: otherNode }, [replica(1, "")])
          yield* store.accept({ topic: "a", origin: { ...otherNode, tenant: "aaaa" } }, [replica(1, "")])
          const heads = yield* store.heads
          expect(heads.map(({ origin, topic }) => `${topic} ${origin.tenant} ${origin.device}`)).toEqual([
            "A acme one",
            "a aaaa two",
            "a acme one",
            "a acme two",
            "a/b acme one",
            "ab acme one",
            "b acme one",
            "é acme one",
          ])
        }),
      ),
    )
  })
}
