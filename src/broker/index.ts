/** The reserved client `.broker`: questions about the exchange, and announcements, as BUS/RT has them. */
export { infoTopic } from "./announcements.ts"
export { layer } from "./layer.ts"
export type { BrokerInfo } from "./methods.ts"
