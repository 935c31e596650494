/**
 * The promises of a store of named cursors: one holder, moves that never go back, fencing, resets.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import type { CursorClaim, CursorMove, CursorStore } from "../../storage/CursorStore.ts"
import type { JournalFilter } from "../../storage/LogStore.ts"
import { CursorModel } from "./CursorModel.ts"
import { otherNode } from "./fixtures.ts"
import { itReopens } from "./itReopens.ts"
import type { StorageSuiteOptions } from "./StorePlace.ts"
import { openedCursors, withPlace } from "./withStore.ts"

type Cursors = CursorStore["Service"]

const orders: JournalFilter = { topics: "orders/#", origin: undefined }

const claim = (name: string, position: number, more: Partial<CursorClaim> = {}): CursorClaim => ({
  name,
  filter: orders,
  position,
  at: 1000,
  ...more,
})

const move = (name: string, epoch: number, position: number): CursorMove => ({ name, epoch, position, at: 2000 })

const placesOf = (cursors: Cursors) =>
  Effect.map(cursors.cursors, (all) => all.map(({ name, position }) => `${name} ${position}`))

const withCursors = <A, E>(options: StorageSuiteOptions, use: (cursors: Cursors) => Effect.Effect<A, E>) =>
  withPlace(options, (place) => openedCursors(place, use))

export const cursorTests = (options: StorageSuiteOptions): void => {
  describe("a named cursor", () => {
    it.live("begins where its first claim says, and is found there by the next one", () =>
      withCursors(options, (cursors) =>
        Effect.gen(function* () {
          const first = yield* cursors.claim(claim("mail", 7))
          expect(first).toEqual({ name: "mail", ...orders, position: 7, movedAt: 1000, epoch: first.epoch })
          expect(yield* cursors.move([move("mail", first.epoch, 9)])).toEqual([true])
          const second = yield* cursors.claim(claim("mail", 0, { at: 3000 }))
          expect(second).toEqual({ ...first, position: 9, movedAt: 2000, epoch: second.epoch })
          expect(second.epoch).toBeGreaterThan(first.epoch)
          expect(yield* cursors.cursors).toEqual([second])
        }),
      ),
    )

    it.live("moves on and never back", () =>
      withCursors(options, (cursors) =>
        Effect.gen(function* () {
          const { epoch } = yield* cursors.claim(claim("mail", 5))
          expect(yield* cursors.move([move("mail", epoch, 8), move("mail", epoch, 6)])).toEqual([true, true])
          expect(yield* cursors.move([move("mail", epoch, 4)])).toEqual([true])
          expect(yield* cursors.cursors).toMatchObject([{ position: 8, movedAt: 2000 }])
        }),
      ),
    )

    it.live("is moved by its last holder alone, and a refused move does not stop the others", () =>
      withCursors(options, (cursors) =>
        Effect.gen(function* () {
          const old = yield* cursors.claim(claim("mail", 1))
          const other = yield* cursors.claim(claim("bills", 1))
          const current = yield* cursors.claim(claim("mail", 1))
          expect(
            yield* cursors.move([
              move("mail", old.epoch, 9),
              move("bills", other.epoch, 3),
              move("mail", current.epoch, 2),
              move("mail", current.epoch + 1, 9),
              move("nobody", current.epoch, 9),
            ]),
          ).toEqual([false, true, true, false, false])
          expect(yield* placesOf(cursors)).toEqual(["bills 3", "mail 2"])
        }),
      ),
    )

    it.live("goes with its filter and its origin", () =>
      withCursors(options, (cursors) =>
        Effect.gen(function* () {
          const ours = { topics: "orders/new", origin: otherNode }
          const { epoch } = yield* cursors.claim(claim("mail", 1, { filter: ours }))
          for (const filter of [orders, { ...ours, topics: "orders/+" }, { ...ours, origin: undefined }]) {
            const refused = yield* Effect.flip(cursors.claim(claim("mail", 9, { filter })))
            expect(refused).toMatchObject({ _tag: "CursorMismatch", cursor: "mail" })
            expect(refused.message).toContain("delete the cursor first")
          }
          // Whoever was refused has taken it from nobody.
          expect(yield* cursors.move([move("mail", epoch, 2)])).toEqual([true])
          expect(yield* cursors.cursors).toMatchObject([{ ...ours, position: 2 }])
        }),
      ),
    )

    it.live("is put anywhere by a reset, which its holder cannot undo", () =>
      withCursors(options, (cursors) =>
        Effect.gen(function* () {
          const { epoch } = yield* cursors.claim(claim("mail", 5))
          expect(yield* cursors.reset({ name: "mail", position: 2, at: 4000 })).toBe(true)
          expect(yield* cursors.reset({ name: "nobody", position: 2, at: 4000 })).toBe(false)
          expect(yield* cursors.move([move("mail", epoch, 9)])).toEqual([false])
          expect(yield* cursors.cursors).toMatchObject([{ name: "mail", position: 2, movedAt: 4000 }])
          expect((yield* cursors.claim(claim("mail", 9))).position).toBe(2)
        }),
      ),
    )

    it.live("is not moved by whoever held one of the same name that was deleted", () =>
      withCursors(options, (cursors) =>
        Effect.gen(function* () {
          const { epoch } = yield* cursors.claim(claim("mail", 5))
          expect(yield* cursors.delete("mail")).toBe(true)
          expect(yield* cursors.delete("mail")).toBe(false)
          expect(yield* cursors.cursors).toEqual([])
          yield* cursors.claim(claim("mail", 0, { filter: { topics: "other", origin: undefined } }))
          expect(yield* cursors.move([move("mail", epoch, 9)])).toEqual([false])
          expect(yield* placesOf(cursors)).toEqual(["mail 0"])
        }),
      ),
    )

    itReopens(options, "is where it was when the store is opened again, and old holders stay fenced", () =>
      withPlace(options, (place) =>
        Effect.gen(function* () {
          const first = yield* openedCursors(place, (cursors) =>
            Effect.tap(cursors.claim(claim("größe", 3)), ({ epoch }) => cursors.move([move("größe", epoch, 4)])),
          )
          yield* openedCursors(place, (cursors) => cursors.delete("größe"))
          yield* openedCursors(place, (cursors) =>
            Effect.gen(function* () {
              const second = yield* cursors.claim(claim("größe", 0))
              expect(second.epoch).toBeGreaterThan(first.epoch)
              expect(yield* cursors.move([move("größe", first.epoch, 9), move("größe", second.epoch, 1)])).toEqual([
                false,
                true,
              ])
            }),
          )
          yield* openedCursors(place, (cursors) =>
            Effect.gen(function* () {
              expect(yield* cursors.cursors).toMatchObject([{ name: "größe", position: 1, movedAt: 2000 }])
            }),
          )
        }),
      ),
    )
  })

  describe("any program of named cursors", () => {
    it.live(
      "gives what the model gives",
      () =>
        Effect.promise(() =>
          fc.assert(
            fc.asyncProperty(program, (steps) => Effect.runPromise(withCursors(options, (all) => run(all, steps)))),
            { numRuns: options.programs ?? 50 },
          ),
        ),
      120_000,
    )
  })
}

/** One move of a batch: with the epoch of the last claim, of one before it, or with one that nobody has. */
interface MoveStep {
  readonly name: string
  readonly held: "last" | "older" | "never"
  readonly position: number
}

type Step =
  | { readonly type: "claim"; readonly name: string; readonly filter: JournalFilter; readonly position: number }
  | { readonly type: "move"; readonly moves: ReadonlyArray<MoveStep> }
  | { readonly type: "reset"; readonly name: string; readonly position: number }
  | { readonly type: "delete"; readonly name: string }

const name = fc.constantFrom("mail", "bills", "Größe")
const position = fc.nat(30)
const filter = fc.oneof(
  { weight: 8, arbitrary: fc.constant(orders) },
  { weight: 1, arbitrary: fc.constant({ ...orders, origin: otherNode }) },
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant("claim" as const), name, filter, position }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("move" as const),
      moves: fc.array(fc.record({ name, held: fc.constantFrom("last", "last", "older", "never"), position }), {
        maxLength: 5,
      }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("reset" as const), name, position }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("delete" as const), name }) },
)
const program = fc.array(step, { minLength: 1, maxLength: 30 })

/** Runs steps on the store and on the model, and compares results and cursors after each. */
const run = (cursors: Cursors, steps: ReadonlyArray<Step>) =>
  Effect.gen(function* () {
    const model = new CursorModel()
    /** All epochs that claims of a name gave, the last one at the end. */
    const claimed = new Map<string, Array<number>>()
    let lastEpoch = 0
    const epochOf = ({ held, name }: MoveStep): number => {
      const epochs = claimed.get(name) ?? []
      return (held === "never" ? undefined : epochs.at(held === "last" ? -1 : -2)) ?? lastEpoch + 1000
    }
    for (const [i, one] of steps.entries()) {
      const at = 1000 + i
      switch (one.type) {
        case "claim": {
          const request = { ...one, at }
          if (!model.fits(request)) {
            expect((yield* Effect.flip(cursors.claim(request)))._tag).toBe("CursorMismatch")
            break
          }
          const { epoch, ...rest } = yield* cursors.claim(request)
          expect(epoch).toBeGreaterThan(lastEpoch)
          lastEpoch = epoch
          claimed.set(one.name, [...(claimed.get(one.name) ?? []), epoch])
          model.claim(request, epoch)
          expect({ ...rest, epoch }).toEqual(model.find(one.name))
          break
        }
        case "move": {
          const moves = one.moves.map((each) => ({
            name: each.name,
            epoch: epochOf(each),
            position: each.position,
            at,
          }))
          expect(yield* cursors.move(moves)).toEqual(moves.map((each) => model.move(each)))
          break
        }
        case "reset": {
          const done = yield* cursors.reset({ ...one, at })
          const epoch = (yield* cursors.cursors).find((cursor) => cursor.name === one.name)?.epoch ?? lastEpoch
          if (done) expect(epoch).toBeGreaterThan(lastEpoch)
          lastEpoch = epoch > lastEpoch ? epoch : lastEpoch
          expect(done).toBe(model.reset({ ...one, at }, epoch))
          break
        }
        case "delete":
          expect(yield* cursors.delete(one.name)).toBe(model.delete(one.name))
      }
      expect(yield* cursors.cursors).toEqual(model.cursors)
    }
  })
