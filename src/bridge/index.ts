/** Where the durable and the live plane meet: the bridge of a node, and clients of its `.bus`. */
export type { BusOptions } from "./client/BusLine.ts"
export { type BusLayerOptions, layerOverExchange } from "./client/layerOverExchange.ts"
export { layerQueues, makeQueues } from "./client/layerQueues.ts"
export { layerTopics, makeTopics } from "./client/layerTopics.ts"
export { SessionUnknown } from "./contract/errors.ts"
export * from "./layer.ts"
