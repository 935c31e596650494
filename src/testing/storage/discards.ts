/**
 * Discarding the end of a log: as if it had never come, but for what was deleted, and for positions.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { LogStore } from "../../storage/LogStore.ts"
import { itReopens } from "./itReopens.ts"
import type { StorageSuiteOptions } from "./StorePlace.ts"
import { draft, otherNode, ownNode, replica, unlimited } from "./fixtures.ts"
import { observe } from "./StorageModel.ts"
import { opened, withPlace, withStore } from "./withStore.ts"

type Store = LogStore["Service"]

const own = { topic: "t", origin: ownNode }
const foreign = { topic: "t", origin: otherNode }
const all = { topics: "#", origin: undefined }

const textOf = ({ payload }: { readonly payload: Uint8Array }): string => Buffer.from(payload).toString()

const textsOf = (store: Store, log: typeof own) =>
  Effect.map(store.readLog(log, 1, unlimited), (messages) => messages.map(textOf))

const placesOf = (store: Store, after: number, topics = "#") =>
  Effect.map(store.readJournal(after, { topics, origin: undefined }, unlimited), ({ messages }) =>
    messages.map((message) => `${message.position}: ${message.topic} ${message.offset} ${textOf(message)}`),
  )

export const discardTests = (options: StorageSuiteOptions): void => {
  describe("discard", () => {
    it.live("takes a log's messages away from an offset on, and leaves all others", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* store.append([["1", "2", "3"].map((text) => draft("t", text)), [draft("u", "u")]])
          yield* store.accept(foreign, [replica(1, "one"), replica(2, "two")])
          yield* store.append([[draft("t", "4")]])
          expect(yield* store.discard(own, 3)).toEqual({ head: 2, discarded: 2 })
          expect(yield* textsOf(store, own)).toEqual(["1", "2"])
          expect(yield* store.head(own)).toEqual(Option.some(2))
          expect((yield* store.heads).map(({ offset }) => offset)).toEqual([2, 2, 1])
          expect(yield* placesOf(store, 0)).toEqual(["1: t 1 1", "2: t 2 2", "4: u 1 u", "5: t 1 one", "6: t 2 two"])
        }),
      ),
    )

    it.live("gives no position twice: the journal goes on behind all that it ever had", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* store.append([["1", "2", "3"].map((text) => draft("t", text))])
          yield* store.discard(own, 2)
          expect(yield* store.end).toBe(4)
          const page = yield* store.readJournal(0, all, unlimited)
          expect([page.messages.length, page.scannedTo, page.end]).toEqual([1, 4, 4])
          const { offsets, positions } = yield* store.append([[draft("t", "new"), draft("t", "newer")]])
          expect([offsets, positions]).toEqual([
            [2, 3],
            [5, 6],
          ])
          expect(yield* placesOf(store, 0)).toEqual(["1: t 1 1", "5: t 2 new", "6: t 3 newer"])
        }),
      ),
    )

    it.live("changes nothing where there is nothing to take away", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          expect(yield* store.discard(own, 1)).toEqual({ head: 0, discarded: 0 })
          yield* store.append([[draft("t", "1")]])
          expect(yield* store.discard(own, 2)).toEqual({ head: 1, discarded: 0 })
          expect(yield* store.discard(foreign, 1)).toEqual({ head: 0, discarded: 0 })
          expect(yield* store.end).toBe(1)
          expect(yield* textsOf(store, own)).toEqual(["1"])
        }),
      ),
    )

    it.live("leaves nothing of a log, which is none then, and begins anew", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* store.accept(foreign, [replica(1, "one"), replica(2, "two")])
          expect(yield* store.discard(foreign, -5)).toEqual({ head: 0, discarded: 2 })
          expect(yield* store.heads).toEqual([])
          expect(yield* store.head(foreign)).toEqual(Option.none())
          expect(yield* store.readLog(foreign, 1, unlimited)).toEqual([])
          const { accepted, head } = yield* store.accept(foreign, [replica(1, "uno"), replica(2, "due")])
          expect([head, accepted.map(({ offset, position }) => [offset, position])]).toEqual([
            2,
            [
              [1, 4],
              [2, 5],
            ],
          ])
          expect(yield* textsOf(store, foreign)).toEqual(["uno", "due"])
        }),
      ),
    )

    it.live("cuts a log at any offset, whatever came together", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const batches = [3, 1, 40, 2]
          for (let from = 47; from >= 1; from -= 5) {
            const head = yield* Effect.map(
              store.head(own),
              Option.getOrElse(() => 0),
            )
            for (let last = head, batch = 0; last < 46; batch++) {
              const count = Math.min(batches[batch % 4]!, 46 - last)
              yield* store.append([Array.from({ length: count }, (_, i) => draft("t", `${last + i + 1}`))])
              last += count
            }
            expect(yield* store.discard(own, from)).toEqual({ head: from - 1, discarded: 47 - from })
            const left = Array.from({ length: from - 1 }, (_, i) => `${i + 1}`)
            expect(yield* textsOf(store, own)).toEqual(left)
            expect((yield* store.readJournal(0, all, unlimited)).messages.map(textOf)).toEqual(left)
          }
        }),
      ),
    )

    it.live("forgets no deletion: what comes again is a tombstone", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* store.accept(foreign, [replica(1, "one"), replica(2, "two"), replica(3, "three")])
          yield* store.tombstone({ log: foreign, from: 2, to: 2, marker: undefined })
          yield* store.tombstone({ log: foreign, from: 5, to: 5, marker: undefined })
          yield* store.discard(foreign, 1)
          yield* store.accept(
            foreign,
            ["1", "2", "3", "4", "5"].map((text, i) => replica(i + 1, text)),
          )
          expect(yield* textsOf(store, foreign)).toEqual(["1", "", "3", "4", ""])
          const again = yield* store.readLog(foreign, 1, unlimited)
          expect(again.map(({ deleted }) => deleted)).toEqual([false, true, false, false, true])
        }),
      ),
    )

    it.live("forgets the keys of what it takes away, and no others", () =>
      withStore(
        options,
        (store) =>
          Effect.gen(function* () {
            const keyed = (topic: string, key: string, text = key) => store.append([[draft(topic, text, { key })]])
            yield* keyed("t", "a")
            yield* keyed("u", "a")
            yield* keyed("t", "b")
            yield* store.discard(own, 2)
            expect((yield* keyed("t", "b", "other")).offsets).toEqual([2])
            expect((yield* keyed("t", "a")).repeats).toMatchObject([{ draft: 0 }])
            expect((yield* keyed("u", "a", "other")).conflicts).toMatchObject([{ key: "a", offset: 1 }])
            // The window has room again for as many as were forgotten.
            yield* store.discard(own, 1)
            yield* keyed("v", "c")
            yield* keyed("v", "d")
            expect((yield* keyed("v", "c")).repeats.length).toBe(1)
            expect((yield* keyed("u", "a")).repeats.length).toBe(1)
          }),
        { keyWindow: { millis: 100_000, count: 3 } },
      ),
    )

    it.live("lets a reader of the journal find what comes in the place of what it has read", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const filter = { topics: "t", origin: undefined }
          const messages = (texts: string) => [...texts].map((text, i) => replica(i + 1, text))
          yield* store.accept(foreign, messages("abcdefgh"))
          // A place in the log is remembered for its next page.
          const page = yield* store.readJournal(0, filter, { rows: 6, bytes: 1_000_000 })
          expect(page.scannedTo).toBe(6)
          yield* store.discard(foreign, 3)
          // Each by itself: what lies together is found together.
          for (const message of messages("abCDEFGH").slice(2)) yield* store.accept(foreign, [message])
          expect(yield* placesOf(store, 6, "t")).toEqual([
            "10: t 3 C",
            "11: t 4 D",
            "12: t 5 E",
            "13: t 6 F",
            "14: t 7 G",
            "15: t 8 H",
          ])
          expect(yield* placesOf(store, 11, "t")).toEqual(["12: t 5 E", "13: t 6 F", "14: t 7 G", "15: t 8 H"])
        }),
      ),
    )

    itReopens(options, "is as true of a store that is opened again", () =>
      withPlace(options, (place) =>
        Effect.gen(function* () {
          const journal = yield* opened(place, (store) =>
            Effect.gen(function* () {
              yield* store.append([["1", "2", "3"].map((text) => draft("t", text, { key: text }))])
              yield* store.accept(foreign, [replica(1, "one")])
              yield* store.discard(foreign, 1)
              yield* store.discard(own, 3)
              return (yield* store.readJournal(0, all, unlimited)).messages.map(observe)
            }),
          )
          yield* opened(place, (store) =>
            Effect.gen(function* () {
              expect(yield* store.end).toBe(6)
              expect(yield* store.heads).toEqual([{ ...own, offset: 2 }])
              expect((yield* store.readJournal(0, all, unlimited)).messages.map(observe)).toEqual(journal)
              const { offsets, positions } = yield* store.append([[draft("t", "new", { key: "3" })]])
              expect([offsets, positions]).toEqual([[3], [7]])
            }),
          )
        }),
      ),
    )
  })
}
