/**
 * Whose store it is, which one, and that one at a time holds it.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { defaultNodeId, format } from "../../domain/NodeId.ts"
import { itReopens } from "./itReopens.ts"
import type { StorageSuiteOptions } from "./StorePlace.ts"
import { draft, otherNode, ownNode } from "./fixtures.ts"
import { opened, withPlace } from "./withStore.ts"

/** Registers a test that opens a store again, unless nobody is kept from opening it twice. */
const itOfHolder: typeof itReopens = (options, name, test) => {
  if (options.isHeld !== false) itReopens(options, name, test)
}

/** Registers a test that opens a store again, unless any node may. */
const itOfOneNode: typeof itReopens = (options, name, test) => {
  if (options.isShared !== true) itReopens(options, name, test)
}

export const identityTests = (options: StorageSuiteOptions): void => {
  describe("a store", () => {
    itReopens(options, "keeps its node and its incarnation", () =>
      withPlace(options, (place) =>
        Effect.gen(function* () {
          const first = yield* opened(place, (store) => Effect.succeed(store.info))
          const second = yield* opened(place, (store) => Effect.succeed(store.info))
          expect(first.node).toEqual(ownNode)
          expect(first.incarnation).not.toBe("")
          expect(second).toEqual(first)
          // Where several nodes share it, it has no node of its own to fall back on.
          if (options.isShared === true) return
          const third = yield* opened(place, (store) => Effect.succeed(store.info), { node: undefined })
          expect(third).toEqual(first)
        }),
      ),
    )

    it.live("has an incarnation of its own", () =>
      withPlace(options, (one) =>
        withPlace(options, (two) =>
          Effect.gen(function* () {
            const first = yield* opened(one, (store) => Effect.succeed(store.info))
            const second = yield* opened(two, (store) => Effect.succeed(store.info))
            expect(first.incarnation).not.toBe(second.incarnation)
          }),
        ),
      ),
    )

    it.live("belongs to the default node where none is named", () =>
      withPlace(options, (place) =>
        Effect.gen(function* () {
          const info = yield* opened(place, (store) => Effect.succeed(store.info), { node: undefined })
          expect(info.node).toEqual(defaultNodeId)
        }),
      ),
    )

    itOfOneNode(options, "refuses another node, names both, and is not harmed", () =>
      withPlace(options, (place) =>
        Effect.gen(function* () {
          yield* opened(place, (store) => store.append([[draft("t", "1")]]))
          const error = yield* Effect.flip(opened(place, () => Effect.void, { node: otherNode }))
          expect(error).toMatchObject({ _tag: "StoreUnusable", reason: "other identity" })
          expect(error.message).toContain(format(ownNode))
          expect(error.message).toContain(format(otherNode))
          expect(yield* opened(place, (store) => store.end)).toBe(1)
        }),
      ),
    )

    itOfHolder(options, "is held by one at a time", () =>
      withPlace(options, (place) =>
        Effect.gen(function* () {
          yield* opened(place, (store) =>
            Effect.gen(function* () {
              const error = yield* Effect.flip(opened(place, () => Effect.void))
              expect(error).toMatchObject({ _tag: "StoreUnusable", reason: "held" })
              yield* store.append([[draft("t", "1")]])
              yield* store.check
            }),
          )
          expect(yield* opened(place, (store) => store.end)).toBe(1)
        }),
      ),
    )
  })
}
