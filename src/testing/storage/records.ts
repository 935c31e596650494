/**
 * The promises of a store of records: what was put last is there, found by how its key begins, whatever the key.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { type RecordStore, sortRecords, type StoredRecord } from "../../storage/RecordStore.ts"
import { itReopens } from "./itReopens.ts"
import type { StorageSuiteOptions } from "./StorePlace.ts"
import { openedRecords, withPlace } from "./withStore.ts"

type Records = RecordStore["Service"]

const record = (key: string, value: unknown = key): StoredRecord => ({ key, value: JSON.stringify(value) })

const withRecords = <A, E>(options: StorageSuiteOptions, use: (records: Records) => Effect.Effect<A, E>) =>
  withPlace(options, (place) => openedRecords(place, use))

const keysOf = (records: Records, prefix: string) =>
  Effect.map(records.records(prefix), (all) => all.map(({ key }) => key))

/**
 * Longer than a key of any database may be, and many: what is done with such keys must do for each. The SHA-256 of two of
 * them begins with the greatest byte there is.
 */
const longKeys = Array.from({ length: 100 }, (_, i) => `long/${"ñ".repeat(1500)}/${String(i).padStart(3, "0")}`)

export const recordTests = (options: StorageSuiteOptions): void => {
  describe("a record", () => {
    it.live("is what was put last, until it is removed", () =>
      withRecords(options, (records) =>
        Effect.gen(function* () {
          yield* records.write({ put: [record("a", 1), record("b", 1)], remove: [] })
          yield* records.write({ put: [record("b", { two: "2" }), record("c", 2)], remove: ["a", "never there"] })
          expect(yield* records.records("")).toEqual([record("b", { two: "2" }), record("c", 2)])
          yield* records.write({ put: [record("c", 3)], remove: ["b", "c"] })
          expect(yield* records.records("")).toEqual([record("c", 3)])
          yield* records.write({ put: [], remove: [] })
          expect(yield* records.records("")).toEqual([record("c", 3)])
        }),
      ),
    )

    it.live("is found by how its key begins, whatever characters are in it", () =>
      withRecords(options, (records) =>
        Effect.gen(function* () {
          const keys = [
            "sync/",
            "sync/a%b_c",
            "sync/a\0b",
            "sync/größe/€/🚂",
            "sync/\u{10ffff}",
            "sync\\",
            "sync0",
            "t",
          ]
          yield* records.write({ put: keys.map((key) => record(key)), remove: [] })
          expect(yield* keysOf(records, "sync/")).toEqual(keys.slice(0, 5).toSorted())
          expect(yield* records.records("sync/a\0")).toEqual([record("sync/a\0b")])
          expect(yield* records.records("sync/größe/€/🚂")).toEqual([record("sync/größe/€/🚂")])
          expect(yield* records.records("sync/größe/x")).toEqual([])
          expect(yield* keysOf(records, "")).toEqual(keys.toSorted())
        }),
      ),
    )

    it.live("is as long as it needs to be, and there are as many", () =>
      withRecords(options, (records) =>
        Effect.gen(function* () {
          const put = longKeys.map((key) => record(key, "x".repeat(2000)))
          yield* records.write({ put, remove: [] })
          yield* records.write({ put: [record("long"), record("longer")], remove: [longKeys[7]!] })
          const left = put.filter((_, i) => i !== 7)
          expect(yield* records.records("long/")).toEqual(left)
          expect(yield* records.records(longKeys[8]!.slice(0, -3))).toEqual(left)
          expect(yield* records.records(longKeys[8]!.slice(0, -1))).toEqual(left.slice(0, 9))
          expect(yield* records.records(longKeys[8]!)).toEqual([put[8]])
          expect(yield* keysOf(records, "long")).toEqual(["long", ...left.map(({ key }) => key), "longer"])
        }),
      ),
    )

    it.live("is written in the order in which it is asked for", () =>
      withRecords(options, (records) =>
        Effect.gen(function* () {
          const writes = Array.from({ length: 20 }, (_, i) => records.write({ put: [record("a", i)], remove: [] }))
          yield* Effect.all(writes, { concurrency: "unbounded" })
          expect(yield* records.records("a")).toEqual([record("a", 19)])
        }),
      ),
    )

    itReopens(options, "is there when the store is opened again", () =>
      withPlace(options, (place) =>
        Effect.gen(function* () {
          yield* openedRecords(place, (records) =>
            records.write({ put: [record("größe", 1), record(longKeys[0]!, 2), record("c", 3)], remove: [] }),
          )
          yield* openedRecords(place, (records) => records.write({ put: [], remove: ["c"] }))
          yield* openedRecords(place, (records) =>
            Effect.gen(function* () {
              expect(yield* records.records("")).toEqual([record("größe", 1), record(longKeys[0]!, 2)])
            }),
          )
        }),
      ),
    )
  })

  describe("any program of records", () => {
    it.live(
      "leaves what it leaves in a map",
      () =>
        Effect.promise(() =>
          fc.assert(
            fc.asyncProperty(program, (steps) => Effect.runPromise(withRecords(options, (all) => run(all, steps)))),
            { numRuns: options.programs ?? 50 },
          ),
        ),
      120_000,
    )
  })
}

interface Step {
  readonly put: ReadonlyArray<StoredRecord>
  readonly remove: ReadonlyArray<string>
}

const key = fc.string({ unit: fc.constantFrom("a", "b", "ü", "\u{1f682}", "\0"), minLength: 1, maxLength: 4 })
const step: fc.Arbitrary<Step> = fc.record({
  put: fc.uniqueArray(fc.record({ key, value: fc.nat(99).map((value) => JSON.stringify(value)) }), {
    selector: (one) => one.key,
    maxLength: 6,
  }),
  remove: fc.array(key, { maxLength: 3 }),
})
const program = fc.array(step, { minLength: 1, maxLength: 12 })

const run = (records: Records, steps: ReadonlyArray<Step>) =>
  Effect.gen(function* () {
    const model = new Map<string, string>()
    for (const { put, remove } of steps) {
      yield* records.write({ put, remove })
      for (const key of remove) model.delete(key)
      for (const { key, value } of put) model.set(key, value)
      const all = sortRecords(Array.from(model, ([key, value]) => ({ key, value })))
      for (const prefix of ["", "a", "ü", put[0]?.key ?? "b"]) {
        expect(yield* records.records(prefix)).toEqual(all.filter(({ key }) => key.startsWith(prefix)))
      }
    }
  })
