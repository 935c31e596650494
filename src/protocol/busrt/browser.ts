/**
 * millrace for web pages: the exchange of a node elsewhere and calls over it, by the WebSocket of the browser. It needs
 * nothing of Node's, and works wherever there is a `WebSocket`.
 */
export * as errors from "../../domain/errors.ts"
export * as liveErrors from "../../domain/liveErrors.ts"
export * as Exchange from "../../exchange/index.ts"
export * as Rpc from "../../rpc/index.ts"
export { type BrowserClientOptions, layer as layerExchange } from "./client/browserLayer.ts"
export { type ClientSettings, defaultClientSettings } from "./client/settings.ts"
