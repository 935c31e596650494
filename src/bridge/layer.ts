/**
 * Where the planes meet: what is published on durable topics reaches live clients, and what live clients publish on
 * topics that are to be durable is stored first.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { InvalidArgument } from "../domain/errors.ts"
import * as TopicFilter from "../domain/TopicFilter.ts"
import { Router } from "../exchange/index.ts"
import { Queues } from "../queues/index.ts"
import { Journal, Topics } from "../topics/index.ts"
import { storeFirst } from "./internal/storeFirst.ts"
import { toLive } from "./internal/toLive.ts"
import { serveBus } from "./server/bus.ts"

export interface BridgeOptions {
  /** Topic filters: what live clients publish on topics that match is stored before it is delivered. */
  readonly durable?: ReadonlyArray<string> | undefined
}

/**
 * Ties the exchange to the topics and queues of this process, and serves `.bus`. Fails where a filter is none.
 */
export const layer = ({ durable = [] }: BridgeOptions = {}): Layer.Layer<
  never,
  InvalidArgument,
  Router | Journal | Topics | Queues
> =>
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
      yield* serveBus({ core, journal, publications, topics: yield* Topics, queues: yield* Queues })
    }),
  )
