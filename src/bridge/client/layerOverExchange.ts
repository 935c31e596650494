/** `Topics` and `Queues` of whatever node an exchange leads to. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type ConnectError, Exchange } from "../../exchange/index.ts"
import { Queues } from "../../queues/index.ts"
import { make } from "../../rpc/index.ts"
import { Topics } from "../../topics/index.ts"
import type { BusOptions } from "./BusLine.ts"
import { makeQueues } from "./layerQueues.ts"
import { makeTopics } from "./layerTopics.ts"

export interface BusLayerOptions extends BusOptions {
  /** The name that it connects under, which nobody else may have. */
  readonly name: string
}

/**
 * The topics and queues of the node that the exchange leads to. It connects a client of its own, so that what an app does
 * with its other clients does not hold it up.
 */
export const layerOverExchange = ({
  name,
  ...options
}: BusLayerOptions): Layer.Layer<Topics | Queues, ConnectError, Exchange> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const { connect } = yield* Exchange
      const rpc = yield* make(yield* connect(name))
      return Context.make(Topics, yield* makeTopics(rpc, options)).pipe(
        Context.add(Queues, yield* makeQueues(rpc, options)),
      )
    }),
  )
