/**
 * millrace for web pages: the live plane of a node elsewhere, calls over it, and through them the durable plane, by the
 * WebSocket of the browser. It needs nothing of Node's, and works wherever there is a `WebSocket`.
 */
export * as errors from "../../domain/errors.ts"
export * as liveErrors from "../../domain/liveErrors.ts"
export * as Exchange from "../../exchange/Exchange.ts"
export * as Queues from "../../queues/Queues.ts"
export * as Rpc from "../../rpc/index.ts"
export * as Topics from "../../topics/Topics.ts"
export * as TypedTopic from "../../topics/TypedTopic.ts"
export type { BusOptions } from "../../bridge/client/BusLine.ts"
export { type BusLayerOptions, layerOverExchange } from "../../bridge/client/layerOverExchange.ts"
export { layerQueues, makeQueues } from "../../bridge/client/layerQueues.ts"
export { layerTopics, makeTopics } from "../../bridge/client/layerTopics.ts"
export { type BrowserClientOptions, layer as layerExchange } from "./client/browserLayer.ts"
export { type ClientSettings, defaultClientSettings } from "./client/settings.ts"
