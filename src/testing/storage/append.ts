/**
 * Appending: offsets, positions, batches.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { makeHeaders } from "../../domain/Message.ts"
import { itReopens } from "./itReopens.ts"
import type { StorageSuiteOptions } from "./StorePlace.ts"
import { draft, ownNode, unlimited } from "./fixtures.ts"
import { observe } from "./StorageModel.ts"
import { withPlace, withStore, opened } from "./withStore.ts"

const everything = { topics: "#", origin: undefined }

export const appendTests = (options: StorageSuiteOptions): void => {
  describe("append", () => {
    it.live("numbers each log 1, 2, 3 … and the journal in batch order", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const result = yield* store.append([[draft("a", "1"), draft("b", "2")], [draft("a", "3")]])
          expect(result.offsets).toEqual([1, 1, 2])
          expect(result.positions).toEqual([1, 2, 3])
          expect(result.repeats).toEqual([])
          expect(result.conflicts).toEqual([])
          const next = yield* store.append([[draft("b", "4")]])
          expect(next.offsets).toEqual([2])
          expect(next.positions[0]).toBeGreaterThan(3)
        }),
      ),
    )

    it.live("gives back what went in, byte for byte", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
          const headers = makeHeaders(JSON.parse('{"b":"2","a":"","__proto__":"p","10":"ü€😀","x\\u0000":"\\u0000"}'))
          const drafts = [
            { ...draft("t", ""), payload: bytes, headers },
            { ...draft("t", ""), id: "an id of any kind ✓" },
            { ...draft("größe/日本", "text"), createdAt: 0 },
            { ...draft("t", "x"), payload: Buffer.alloc(100_000, 7) },
          ]
          yield* store.append([drafts])
          const { messages } = yield* store.readJournal(0, everything, unlimited)
          expect(messages.map(observe)).toEqual(
            drafts.map((one, i) =>
              observe({ ...one, origin: ownNode, offset: [1, 2, 1, 3][i]!, position: i + 1, deleted: false }),
            ),
          )
          expect(Object.getPrototypeOf(messages[0]!.headers)).toBe(null)
        }),
      ),
    )

    it.live("keeps no view of the bytes that it was given", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const one = draft("t", "before")
          yield* store.append([[one]])
          one.payload.set(Buffer.from("later!"))
          const [message] = yield* store.readLog({ topic: "t", origin: ownNode }, 1, unlimited)
          expect(Buffer.from(message!.payload).toString()).toBe("before")
        }),
      ),
    )

    it.live("takes batches of any size, over many logs", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const drafts = Array.from({ length: 1007 }, (_, i) => draft(`t/${i % 53}`, `payload ${i}`))
          yield* store.append([drafts])
          yield* store.append(drafts.slice(0, 21).map((one) => [one]))
          const { messages } = yield* store.readJournal(0, everything, unlimited)
          expect(messages.length).toBe(1028)
          expect(messages.map(({ position }) => position)).toEqual(messages.map((_, i) => i + 1))
          expect((yield* store.heads).length).toBe(53)
          const log = yield* store.readLog({ topic: "t/0", origin: ownNode }, 1, unlimited)
          expect(log.map(({ offset }) => offset)).toEqual(log.map((_, i) => i + 1))
          expect(log.length).toBe(20)
        }),
      ),
    )

    it.live("takes an empty batch", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const result = yield* store.append([[], []])
          expect(result).toEqual({ offsets: [], positions: [], repeats: [], conflicts: [] })
          expect(yield* store.end).toBe(0)
          expect(yield* store.heads).toEqual([])
        }),
      ),
    )

    it.live("applies appends that are under way together in the order in which they were made", () =>
      withStore(options, (store) =>
        Effect.gen(function* () {
          const results = yield* Effect.all(
            Array.from({ length: 20 }, (_, i) => store.append([[draft("t", `${i}`)]])),
            { concurrency: "unbounded" },
          )
          expect(results.map(({ offsets }) => offsets[0])).toEqual(results.map((_, i) => i + 1))
        }),
      ),
    )

    itReopens(options, "goes on where it was after it is opened again", () =>
      withPlace(options, (place) =>
        Effect.gen(function* () {
          const before = yield* opened(place, (store) =>
            Effect.gen(function* () {
              yield* store.append([[draft("a", "1"), draft("b", "2")]])
              return (yield* store.readJournal(0, everything, unlimited)).messages.map(observe)
            }),
          )
          yield* opened(place, (store) =>
            Effect.gen(function* () {
              expect(yield* store.end).toBe(2)
              expect((yield* store.readJournal(0, everything, unlimited)).messages.map(observe)).toEqual(before)
              const { offsets, positions } = yield* store.append([[draft("b", "3"), draft("c", "4")]])
              expect(offsets).toEqual([2, 1])
              expect(positions).toEqual([3, 4])
            }),
          )
        }),
      ),
    )
  })
}
