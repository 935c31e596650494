/**
 * Where the planes meet: what is published on durable topics reaches live clients, and what live clients publish on
 * topics that are to be durable is stored first.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { InvalidArgument } from "../domain/errors.ts"
import * as TopicFilter from "../domain/TopicFilter.ts"
import { Router } from "../exchange/index.ts"
import { Journal } from "../topics/index.ts"
import { storeFirst } from "./internal/storeFirst.ts"
import { toLive } from "./internal/toLive.ts"

export interface BridgeOptions {
  /** Topic filters: what live clients publish on topics that match is stored before it is delivered. */
  readonly durable?: ReadonlyArray<string> | undefined
}

/** Ties the exchange and the topics of this process together. Fails where a filter is none. */
export const layer = ({ durable = [] }: BridgeOptions = {}): Layer.Layer<never, InvalidArgument, Router | Journal> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      for (const filter of durable) {
        const message = TopicFilter.problem(filter)
        if (message !== undefined) return yield* new InvalidArgument({ argument: "durable", message })
      }
      const core = yield* Router
      const journal = yield* Journal
      const publications = yield* toLive(core, journal)
      if (durable.length > 0) yield* storeFirst(core, journal, publications, durable)
    }),
  )
