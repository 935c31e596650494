/**
 * Keys: what makes an append repeatable, and for how long.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { itReopens } from "./itReopens.ts"
import type { StorageSuiteOptions } from "./StorePlace.ts"
import { draft, ownNode } from "./fixtures.ts"
import { opened, withPlace, withStore } from "./withStore.ts"

const keyed = (i: number) => [draft(`t/${i % 3}`, `line ${i}`, { key: `line-${i}` })]

export const keyTests = (options: StorageSuiteOptions): void => {
  describe("a key", () => {
    it.live("makes a repeat give the first message's place", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const first = draft("t", "x", { key: "k", headers: { a: "1", b: "2" } })
          yield* store.append([[draft("t", "before")]])
          const stored = yield* store.append([[first]])
          const result = yield* store.append([
            [draft("t", "y"), draft("t", "x", { key: "k", headers: { b: "2", a: "1" }, createdAt: 2000 })],
          ])
          expect(result.offsets).toEqual([3, stored.offsets[0]])
          expect(result.positions).toEqual([3, stored.positions[0]])
          expect(result.repeats).toEqual([{ draft: 1, id: first.id, createdAt: 1000, deleted: false }])
          expect(yield* store.end).toBe(3)
        }),
      ),
    )

    it.live("makes a repeat within one batch, and within one request, one message", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const first = draft("t", "x", { key: "k" })
          const result = yield* store.append([[first, draft("t", "x", { key: "k" })], [draft("t", "x", { key: "k" })]])
          expect(result.offsets).toEqual([1, 1, 1])
          expect(result.repeats.map((repeat) => [repeat.draft, repeat.id])).toEqual([
            [1, first.id],
            [2, first.id],
          ])
        }),
      ),
    )

    it.live("refuses other content, and only the request that has it", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* store.append([[draft("t", "x", { key: "k" })]])
          const result = yield* store.append([
            [draft("t", "one")],
            [draft("t", "not stored"), draft("t", "other", { key: "k" })],
            [draft("t", "two")],
            [draft("t", "x", { key: "k", headers: { a: "1" } })],
          ])
          expect(result.offsets).toEqual([2, 0, 0, 3, 0])
          expect(result.positions).toEqual([2, 0, 0, 3, 0])
          expect(result.conflicts).toEqual([
            { request: 1, topic: "t", key: "k", offset: 1 },
            { request: 3, topic: "t", key: "k", offset: 1 },
          ])
          expect(yield* store.end).toBe(3)
        }),
      ),
    )

    it.live("refuses a request that is at odds with itself, and leaves its keys unused", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const result = yield* store.append([
            [draft("t", "x", { key: "k" }), draft("t", "y", { key: "k" })],
            [draft("t", "y", { key: "k" })],
          ])
          expect(result.conflicts).toEqual([{ request: 0, topic: "t", key: "k", offset: 0 }])
          expect(result.offsets).toEqual([0, 0, 1])
        }),
      ),
    )

    it.live("counts for its topic alone", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const { offsets } = yield* store.append([
            [draft("a", "x", { key: "k" }), draft("b", "y", { key: "k" }), draft("a", "z", { key: "k2" })],
          ])
          expect(offsets).toEqual([1, 1, 2])
        }),
      ),
    )

    it.live("says of a repeat whose message was deleted that it is", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* store.append([[draft("t", "x", { key: "k" })]])
          const log = { topic: "t", origin: ownNode }
          yield* store.tombstone({ log, from: 1, to: 1, marker: { id: "m", createdAt: 1 } })
          const { offsets, repeats } = yield* store.append([[draft("t", "x", { key: "k" })]])
          expect(offsets).toEqual([1])
          expect(repeats[0]?.deleted).toBe(true)
          const other = yield* store.append([[draft("t", "y", { key: "k" })]])
          expect(other.conflicts).toEqual([{ request: 0, topic: "t", key: "k", offset: 1 }])
        }),
      ),
    )

    it.live("is remembered for its window, and no longer", () =>
      withStore(
        options,
        (store) =>
          Effect.gen(function* () {
            yield* store.append([[draft("t", "x", { key: "k", createdAt: 1000 })]])
            const within = yield* store.append([[draft("t", "x", { key: "k", createdAt: 1500 })]])
            expect(within.offsets).toEqual([1])
            const beyond = yield* store.append([[draft("t", "other", { key: "k", createdAt: 1501 })]])
            expect(beyond.offsets).toEqual([2])
            const again = yield* store.append([[draft("t", "other", { key: "k", createdAt: 2001 })]])
            expect(again.offsets).toEqual([2])
          }),
        { keyWindow: { millis: 500, count: 100 } },
      ),
    )

    it.live("is forgotten when too many came after it", () =>
      withStore(
        options,
        (store) =>
          Effect.gen(function* () {
            for (const key of ["a", "b", "c"]) yield* store.append([[draft("t", key, { key })]])
            const { offsets } = yield* store.append([[draft("t", "c", { key: "c" })], [draft("t", "b", { key: "b" })]])
            expect(offsets).toEqual([3, 2])
            const forgotten = yield* store.append([[draft("t", "a", { key: "a" })]])
            expect(forgotten.offsets).toEqual([4])
          }),
        { keyWindow: { millis: 500, count: 2 } },
      ),
    )

    itReopens(options, "is remembered when the store is opened again", () =>
      withPlace(options, (place) =>
        Effect.gen(function* () {
          const first = draft("t", "x", { key: "k" })
          yield* opened(place, (store) => store.append([[draft("t", "w")], [first]]))
          yield* opened(place, (store) =>
            Effect.gen(function* () {
              const result = yield* store.append([[draft("t", "x", { key: "k" })], [draft("t", "y", { key: "k" })]])
              expect(result.offsets).toEqual([2, 0])
              expect(result.repeats[0]?.id).toBe(first.id)
              expect(result.conflicts.length).toBe(1)
            }),
          )
        }),
      ),
    )

    it.live("is looked up for a whole batch at once", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const first = yield* store.append(Array.from({ length: 500 }, (_, i) => keyed(i)))
          const second = yield* store.append(Array.from({ length: 700 }, (_, i) => keyed(i)))
          expect(second.offsets.slice(0, 500)).toEqual(first.offsets)
          expect(second.positions.slice(0, 500)).toEqual(first.positions)
          expect(second.repeats.length).toBe(500)
          expect(yield* store.end).toBe(700)
        }),
      ),
    )
  })
}
