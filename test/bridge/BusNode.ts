/** Nodes with both planes, and their topics and queues as a live client has them through `.bus`. */
import { Context, Effect, Layer } from "effect"
import * as Bridge from "../../src/bridge/index.ts"
import * as Exchange from "../../src/exchange/index.ts"
import * as Queues from "../../src/queues/index.ts"
import * as Rpc from "../../src/rpc/index.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import { layer as layerTopics, type Topics } from "../../src/topics/index.ts"

export interface BusNodeOptions {
  readonly disk?: Memory.MemoryDisk | undefined
  readonly durable?: ReadonlyArray<string> | undefined
}

/** Topics, queues and the exchange of one process. */
export const layerBusNode = ({ disk = Memory.makeDisk(), durable }: BusNodeOptions = {}) =>
  Layer.mergeAll(Bridge.layer({ durable }), Exchange.layer).pipe(
    Layer.provideMerge(Exchange.Router.layer()),
    Layer.provideMerge(Layer.mergeAll(layerTopics, Queues.layer).pipe(Layer.provideMerge(Memory.layer({ disk })))),
  )

/** What a client has of a bus. */
export const layerOver = (rpc: Rpc.Rpc, options?: Bridge.BusOptions): Layer.Layer<Topics | Queues.Queues> =>
  Layer.merge(Bridge.layerTopics(rpc, options), Bridge.layerQueues(rpc, options))

/** A node's topics and queues as a live client in the same process has them, and nothing else of it. */
export const layerThroughBus = (options: BusNodeOptions = {}) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const services = yield* Layer.build(Layer.fresh(layerBusNode(options)))
      const client = yield* Context.get(services, Exchange.Exchange).connect("app")
      return layerOver(yield* Rpc.make(client))
    }),
  )
