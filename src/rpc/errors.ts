/**
 * How calls fail, beside the errors of the live plane (`liveErrors`): `NotRegistered`, `NotDelivered`, `AccessDenied` and
 * `Disconnected` of the call itself are those of a message.
 */
import * as Schema from "effect/Schema"
import { ErrorCode, errorName } from "./codec/payload.ts"

/**
 * The callee says that the call failed, and how; a handler fails with it, its caller gets it. Codes are those of BUS/RT
 * (`ErrorCode`), or an application's own, from -32768 to 32767.
 */
export class RpcError extends Schema.TaggedError<RpcError>("millrace/RpcError")("RpcError", {
  code: Schema.Int,
  /** By convention a text in UTF-8. */
  data: Schema.Uint8Array,
  message: Schema.String,
}) {}

/** No reply came in time. Whether the callee has done its work, or will yet, nobody knows. */
export class RpcTimeout extends Schema.TaggedError<RpcTimeout>("millrace/RpcTimeout")("RpcTimeout", {
  target: Schema.String,
  method: Schema.String,
  timeoutMillis: Schema.Int,
  message: Schema.String,
}) {}

/** The callee disconnected before it replied. It may have done its work. */
export class CalleeGone extends Schema.TaggedError<CalleeGone>("millrace/CalleeGone")("CalleeGone", {
  target: Schema.String,
  method: Schema.String,
  message: Schema.String,
}) {}

/** The callee replied, but with something else than what was agreed. */
export class ResultInvalid extends Schema.TaggedError<ResultInvalid>("millrace/ResultInvalid")("ResultInvalid", {
  target: Schema.String,
  method: Schema.String,
  message: Schema.String,
}) {}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** The error for a handler to fail with. */
export const rpcError = (code: number, data: Uint8Array | string = ""): RpcError => {
  const bytes = typeof data === "string" ? encoder.encode(data) : data
  const text = typeof data === "string" ? data : decoder.decode(data)
  return new RpcError({ code, data: bytes, message: text === "" ? errorName(code) : `${errorName(code)}: ${text}` })
}

export const invalidParams = (message: string): RpcError => rpcError(ErrorCode.invalidParams, message)
