/** Durable topics: the service, its layer over a storage, and typed topics. */
export { guarded } from "./guarded.ts"
export * from "./Journal.ts"
export * from "./layer.ts"
export * from "./Subscribers.ts"
export * from "./Topics.ts"
export * from "./TopicsSettings.ts"
export { handling } from "./tracing.ts"
export * as TypedTopic from "./TypedTopic.ts"
