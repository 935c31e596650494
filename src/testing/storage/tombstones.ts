/**
 * Deleting ranges: content goes, places stay.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { DeleteMarker } from "../../domain/DeleteMarker.ts"
import { itReopens } from "./itReopens.ts"
import type { StorageSuiteOptions } from "./StorePlace.ts"
import { draft, otherNode, ownNode, replica, unlimited } from "./fixtures.ts"
import { observe } from "./StorageModel.ts"
import { opened, withPlace, withStore } from "./withStore.ts"

const own = { topic: "t", origin: ownNode }
const foreign = { topic: "t", origin: otherNode }
const markers = { topic: "$msgbus.delete", origin: ownNode }

export const tombstoneTests = (options: StorageSuiteOptions): void => {
  describe("tombstone", () => {
    it.live("drops payloads and headers, and leaves places, ids and times", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const drafts = ["1", "2", "3", "4"].map((text) => draft("t", text, { headers: { text } }))
          yield* store.append([drafts])
          const { deleted } = yield* store.tombstone({ log: own, from: 2, to: 3, marker: { id: "m", createdAt: 7 } })
          expect(deleted).toBe(2)
          const log = yield* store.readLog(own, 1, unlimited)
          expect(log.map((m) => [m.offset, m.deleted, m.payload.byteLength, Object.keys(m.headers).length])).toEqual([
            [1, false, 1, 1],
            [2, true, 0, 0],
            [3, true, 0, 0],
            [4, false, 1, 1],
          ])
          expect(log.map(({ id, createdAt }) => [id, createdAt])).toEqual(drafts.map((d) => [d.id, d.createdAt]))
        }),
      ),
    )

    it.live("ends at the head of one's own log, and says so in the marker", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* store.append([[draft("t", "1"), draft("t", "2")]])
          const result = yield* store.tombstone({ log: own, from: 2, to: 99, marker: { id: "m", createdAt: 7 } })
          const [stored] = yield* store.readLog(markers, 1, unlimited)
          expect(observe(stored!)).toEqual(observe(result.marker!))
          expect(stored).toMatchObject({ id: "m", createdAt: 7, offset: 1, position: 3, deleted: false })
          const text = Buffer.from(stored!.payload).toString()
          expect(text).toBe(
            '{"topic":"t","origin":{"tenant_id":"acme","bl_name":"press","device_id":"one"},"from_head_id":2,"to_head_id":2,"created_at_ms":7}',
          )
          expect(Schema.decodeUnknownSync(DeleteMarker)(text)).toMatchObject({ from_head_id: 2, to_head_id: 2 })
          const { offsets } = yield* store.append([[draft("t", "3")]])
          expect(offsets).toEqual([3])
          const [, , third] = yield* store.readLog(own, 1, unlimited)
          expect(third?.deleted).toBe(false)
        }),
      ),
    )

    it.live("counts each message once, and marks nothing where nothing is newly deleted", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          yield* store.append([[draft("t", "1"), draft("t", "2"), draft("t", "3")]])
          const erase = (from: number, to: number) =>
            store.tombstone({ log: own, from, to, marker: { id: `m${from}-${to}`, createdAt: 7 } })
          expect((yield* erase(1, 2)).deleted).toBe(2)
          expect((yield* erase(2, 3)).deleted).toBe(1)
          expect(yield* erase(1, 3)).toEqual({ deleted: 0, marker: undefined })
          expect(yield* erase(4, 9)).toEqual({ deleted: 0, marker: undefined })
          expect(
            yield* store.tombstone({
              log: { topic: "none", origin: ownNode },
              from: 1,
              to: 9,
              marker: { id: "m", createdAt: 7 },
            }),
          ).toEqual({ deleted: 0, marker: undefined })
          expect((yield* store.head(markers)).valueOf()).toMatchObject({ value: 2 })
          expect((yield* store.heads).map(({ topic }) => topic)).toEqual(["$msgbus.delete", "t"])
        }),
      ),
    )

    itReopens(options, "of another node's log is remembered for messages that are still to come", () =>
      withPlace(options, (place) =>
        Effect.gen(function* () {
          yield* opened(place, (store) =>
            Effect.gen(function* () {
              yield* store.accept(foreign, [replica(1, "one"), replica(2, "two")])
              const erase = (from: number, to: number) => store.tombstone({ log: foreign, from, to, marker: undefined })
              expect(yield* erase(2, 4)).toEqual({ deleted: 1, marker: undefined })
              expect(yield* erase(8, 8)).toEqual({ deleted: 0, marker: undefined })
              expect(yield* erase(5, 6)).toEqual({ deleted: 0, marker: undefined })
              expect((yield* store.heads).map(({ offset }) => offset)).toEqual([2])
            }),
          )
          yield* opened(place, (store) =>
            Effect.gen(function* () {
              const { accepted } = yield* store.accept(
                foreign,
                [3, 4, 5, 6, 7, 8, 9].map((offset) => replica(offset, "x")),
              )
              expect(accepted.map(({ deleted, offset }) => [offset, deleted])).toEqual([
                [3, true],
                [4, true],
                [5, true],
                [6, true],
                [7, false],
                [8, true],
                [9, false],
              ])
              const log = yield* store.readLog(foreign, 1, unlimited)
              expect(log.filter(({ deleted }) => deleted).every(({ payload }) => payload.byteLength === 0)).toBe(true)
            }),
          )
        }),
      ),
    )

    itReopens(options, "never moves a head back, also when everything is deleted and the store is opened again", () =>
      withPlace(options, (place) =>
        Effect.gen(function* () {
          yield* opened(place, (store) =>
            Effect.gen(function* () {
              yield* store.append([[draft("t", "1"), draft("t", "2")]])
              yield* store.tombstone({ log: own, from: 1, to: 2, marker: { id: "m", createdAt: 7 } })
            }),
          )
          yield* opened(place, (store) =>
            Effect.gen(function* () {
              expect(yield* store.heads).toEqual([
                { ...markers, offset: 1 },
                { ...own, offset: 2 },
              ])
              expect((yield* store.append([[draft("t", "3")]])).offsets).toEqual([3])
            }),
          )
        }),
      ),
    )
  })
}
