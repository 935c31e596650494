/** Work queues: the service, and its layer over a storage. */
export { guarded } from "./guarded.ts"
export * from "./layer.ts"
export * from "./Queues.ts"
export * from "./QueuesSettings.ts"
