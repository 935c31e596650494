/**
 * gRPC: `layerServer` offers a node's topics and queues on a port, `layerTopics` and `layerQueues` are the clients that
 * provide them somewhere else.
 *
 * The server speaks `msgbus.v1`, for that contract's clients and peers, and `millrace.v1`, which our client uses.
 */
export { type GrpcTopicsOptions, layerTopics } from "./topics/topicsClient.ts"
export { type GrpcMaintenanceOptions, layerMaintenance } from "./maintenance/maintenanceClient.ts"
export { type GrpcQueuesOptions, layerQueues } from "./queues/queuesClient.ts"
export { type GrpcSyncOptions, layerSync } from "./replication/replicationClient.ts"
export { type GrpcStatsOptions, layerStats } from "./stats/statsClient.ts"
export { makePeer } from "./sync/makePeer.ts"
export type { PeerOptions } from "./sync/PeerConnection.ts"
export { GrpcListenFailed, GrpcServer, type GrpcServerOptions, layerServer } from "./server/server.ts"
export type { ReconnectEvent } from "./client/ReconnectEvent.ts"
export type { Current, TlsDialOptions, TlsListenOptions } from "../../transport/tls.ts"
