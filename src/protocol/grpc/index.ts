/**
 * gRPC: `layerServer` offers a node's topics and queues on a port, `layerTopics` and `layerQueues` are the clients that
 * provide them somewhere else.
 *
 * The server speaks `msgbus.v1`, for that contract's clients and peers, and `millrace.v1`, which our client uses.
 */
export { type GrpcTopicsOptions, layerTopics } from "./client.ts"
export { type GrpcMaintenanceOptions, layerMaintenance } from "./maintenanceClient.ts"
export { type GrpcQueuesOptions, layerQueues } from "./queuesClient.ts"
export { type GrpcStatsOptions, layerStats } from "./statsClient.ts"
export { GrpcListenFailed, GrpcServer, type GrpcServerOptions, layerServer } from "./server.ts"
export type { ReconnectEvent } from "./ReconnectEvent.ts"
