/** Calls between clients of the live plane, over direct messages, in the format of BUS/RT. */
export { ErrorCode, errorName, transportErrorCode } from "./codec/payload.ts"
export * from "./errors.ts"
export { handledMaxDefault, make, timeoutDefault } from "./make.ts"
export * as MessagePack from "./MessagePack.ts"
export * from "./Rpc.ts"
export * as TextParams from "./textParams.ts"
export { callValue, valueHandler } from "./values.ts"
