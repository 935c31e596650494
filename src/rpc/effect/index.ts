/** `effect/rpc` over the live plane: an `RpcGroup` whose handlers are anywhere, and whose clients are anywhere. */
export { type ClientProtocolOptions, layerClientProtocol, makeClientProtocol } from "./clientProtocol.ts"
export { layerServerProtocol, makeServerProtocol, senderHeader, type ServerProtocolOptions } from "./serverProtocol.ts"
