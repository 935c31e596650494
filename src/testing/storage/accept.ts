/**
 * Accepting another node's messages: idempotent, without gaps, all or nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { makeHeaders } from "../../domain/Message.ts"
import type { StorageSuiteOptions } from "./StorePlace.ts"
import { draft, otherNode, ownNode, replica, unlimited } from "./fixtures.ts"
import { observe } from "./StorageModel.ts"
import { withStore } from "./withStore.ts"

const log = { topic: "t", origin: otherNode }

export const acceptTests = (options: StorageSuiteOptions): void => {
  describe("accept", () => {
    it.live("stores messages as the other node numbered them, beside one's own", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* store.append([[draft("t", "own")]])
          const result = yield* store.accept(log, [replica(1, "one"), replica(2, "two")])
          expect(result.head).toBe(2)
          expect(result.accepted.map(({ offset, position }) => [offset, position])).toEqual([
            [1, 2],
            [2, 3],
          ])
          const stored = yield* store.readLog(log, 1, unlimited)
          expect(stored.map(observe)).toEqual(result.accepted.map(observe))
          expect(stored.map(({ id, createdAt }) => [id, createdAt])).toEqual([
            ["replica-1", 5001],
            ["replica-2", 5002],
          ])
        }),
      ),
    )

    it.live("skips what is there already", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const headers = makeHeaders({ a: "1", b: "2" })
          yield* store.accept(log, [replica(1, "one", { headers }), replica(2, "two")])
          const again = yield* store.accept(log, [
            replica(1, "one", { headers: makeHeaders({ b: "2", a: "1" }) }),
            replica(2, "two"),
            replica(3, "three"),
          ])
          expect(again.accepted.map(({ offset }) => offset)).toEqual([3])
          expect(again.head).toBe(3)
          expect(yield* store.accept(log, [])).toEqual({ accepted: [], head: 3 })
          expect(yield* store.end).toBe(3)
        }),
      ),
    )

    it.live("refuses a gap, and stores nothing of the batch", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* store.accept(log, [replica(1, "one")])
          const error = yield* Effect.flip(store.accept(log, [replica(2, "two"), replica(4, "four")]))
          expect(error).toMatchObject({ _tag: "OffsetGap", topic: "t", expected: 3, received: 4 })
          const fresh = yield* Effect.flip(store.accept({ topic: "new", origin: otherNode }, [replica(2, "two")]))
          expect(fresh).toMatchObject({ _tag: "OffsetGap", expected: 1, received: 2 })
          expect(yield* store.heads).toEqual([{ ...log, offset: 1 }])
        }),
      ),
    )

    const conflicting = {
      id: replica(1, "one", { id: "another" }),
      "creation time": replica(1, "one", { createdAt: 1 }),
      payload: replica(1, "other"),
      headers: replica(1, "one", { headers: makeHeaders({ a: "1" }) }),
    }
    for (const [what, message] of Object.entries(conflicting)) {
      it.live(`refuses the same offset with another ${what}, and stores nothing of the batch`, () =>
        withStore(options, (store) =>
          Effect.gen(function* () {
            yield* store.accept(log, [replica(1, "one")])
            const error = yield* Effect.flip(store.accept(log, [message, replica(2, "two")]))
            expect(error).toMatchObject({ _tag: "OffsetConflict", topic: "t", offset: 1 })
            const within = yield* Effect.flip(store.accept(log, [replica(2, "two"), replica(2, "other")]))
            expect(within).toMatchObject({ _tag: "OffsetConflict", offset: 2 })
            expect(yield* store.heads).toEqual([{ ...log, offset: 1 }])
          }),
        ),
      )
    }

    it.live("takes a tombstone on either side for the same message, and keeps it", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* store.accept(log, [replica(1, "one"), replica(2, "ignored", { deleted: true })])
          const result = yield* store.accept(log, [replica(1, "", { deleted: true }), replica(2, "two")])
          expect(result.accepted).toEqual([])
          const stored = yield* store.readLog(log, 1, unlimited)
          expect(stored.map(({ deleted, payload }) => [deleted, payload.byteLength])).toEqual([
            [true, 0],
            [true, 0],
          ])
          expect(stored.map(({ id }) => id)).toEqual(["replica-1", "replica-2"])
        }),
      ),
    )

    it.live("keeps the logs of one topic apart by origin", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const third = { topic: "t", origin: { ...otherNode, tenant: "third" } }
          yield* store.accept(log, [replica(1, "one")])
          yield* store.accept(third, [replica(1, "uno")])
          yield* store.append([[draft("t", "own")]])
          expect(yield* store.heads).toEqual([
            { ...log, offset: 1, origin: ownNode },
            { ...log, offset: 1 },
            { ...third, offset: 1 },
          ])
        }),
      ),
    )

    it.live("fills an own log that is empty here, which goes on behind it", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const own = { topic: "t", origin: ownNode }
          const { accepted, head } = yield* store.accept(own, [replica(1, "one"), replica(2, "two")])
          expect([head, accepted.map(({ origin, position }) => [origin, position])]).toEqual([
            2,
            [
              [ownNode, 1],
              [ownNode, 2],
            ],
          ])
          const keyed = draft("t", "three", { key: "k" })
          expect(yield* store.append([[keyed, draft("t", "four")]])).toMatchObject({
            offsets: [3, 4],
            positions: [3, 4],
          })
          expect((yield* store.append([[keyed]])).repeats).toMatchObject([{ id: keyed.id }])
          expect((yield* store.accept(own, [replica(2, "two")])).accepted).toEqual([])
          expect(yield* Effect.flip(store.accept(own, [replica(3, "three")]))).toMatchObject({ _tag: "OffsetConflict" })
          expect(yield* store.heads).toEqual([{ ...own, offset: 4 }])
        }),
      ),
    )

    it.live("fills one's own log of deletions, and deletes what they say, also ahead of the messages", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const own = { topic: "t", origin: ownNode }
          const markers = { topic: "$msgbus.delete", origin: ownNode }
          yield* store.accept(markers, [replica(1, "a marker")])
          yield* store.tombstone({ log: own, from: 2, to: 3, marker: undefined })
          const { accepted } = yield* store.accept(
            own,
            ["one", "two", "three", "four"].map((text, i) => replica(i + 1, text)),
          )
          const stored = yield* store.readLog(own, 1, unlimited)
          expect(stored.map(({ deleted }) => deleted)).toEqual([false, true, true, false])
          expect(accepted.map(observe)).toEqual(stored.map(observe))
          const marker = { id: "m", createdAt: 7 }
          const deleted = yield* store.tombstone({ log: own, from: 4, to: 9, marker })
          expect(deleted).toMatchObject({ deleted: 1, marker: { topic: "$msgbus.delete", offset: 2 } })
          expect((yield* store.append([[draft("t", "five")]])).offsets).toEqual([5])
        }),
      ),
    )

    it.live("takes effect before what is asked for after it, also where each message has to be looked at", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* store.accept(log, [replica(1, "one"), replica(2, "two")])
          yield* store.append([Array.from({ length: 1200 }, (_, i) => draft(i % 2 === 0 ? "u" : "v", "x"))])
          const busy = { log: { topic: "u", origin: ownNode }, from: 1, to: 600, marker: { id: "m", createdAt: 7 } }
          const [, { accepted }, { positions }, { head }] = yield* Effect.all(
            [
              // Takes so long that the others wait for it.
              store.tombstone(busy),
              store.accept(log, [replica(2, "two"), replica(3, "three")]),
              store.append([[draft("t", "own")]]),
              store.accept(log, [replica(4, "four")]),
            ],
            { concurrency: "unbounded" },
          )
          expect([accepted.map(({ position }) => position), positions, head]).toEqual([[1204], [1205], 4])
        }),
      ),
    )

    it.live("takes a long batch", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const batch = Array.from({ length: 333 }, (_, i) => replica(i + 1, `message ${i}`))
          yield* store.accept(log, batch.slice(0, 100))
          const { accepted, head } = yield* store.accept(log, batch)
          expect([accepted.length, head]).toEqual([233, 333])
        }),
      ),
    )
  })
}
