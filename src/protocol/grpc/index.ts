/**
 * gRPC: `layerServer` offers a node's topics on a port, `layerTopics` is the client that provides them somewhere else.
 *
 * The server speaks `msgbus.v1`, for that contract's clients and peers, and `millrace.v1`, which our client uses.
 */
export { type GrpcTopicsOptions, layerTopics } from "./client.ts"
export { GrpcListenFailed, GrpcServer, type GrpcServerOptions, layerServer } from "./server.ts"
export type { ReconnectEvent } from "./ReconnectEvent.ts"
