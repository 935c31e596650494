/**
 * The errors of `.bus`, on their way: each has a code, and its data is the error itself, as a text in JSON. So people
 * and programs that know nothing of millrace can read it, and a client layer fails with the error that the node had.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as errors from "../../domain/errors.ts"
import { ErrorCode, rpcError, type RpcError } from "../../rpc/index.ts"

/** What was begun under this id has ended, or was never begun by this caller. What it was at is where it was left. */
export class SessionUnknown extends Schema.TaggedError<SessionUnknown>("millrace/SessionUnknown")("SessionUnknown", {
  id: Schema.Int,
  message: Schema.String,
}) {}

const BusErrorSchema = Schema.Union([
  errors.InvalidArgument,
  errors.AccessDenied,
  errors.NotPermitted,
  errors.MessageTooLarge,
  errors.KeyConflict,
  errors.CursorInvalid,
  errors.CursorMismatch,
  errors.CursorTaken,
  errors.CursorLost,
  errors.CursorUnknown,
  errors.QueueTaken,
  errors.StorageFailed,
  errors.StorageFull,
  errors.OutcomeUnknown,
  errors.Unavailable,
  SessionUnknown,
])
export type BusError = typeof BusErrorSchema.Type
export type BusErrorTag = BusError["_tag"]

/** The code of each error. `AccessDenied` is that of BUS/RT; those from -31001 on are ours. */
export const errorCodes: Readonly<Record<BusErrorTag, number>> = {
  InvalidArgument: ErrorCode.invalidParams,
  AccessDenied: -32121,
  NotPermitted: -31001,
  MessageTooLarge: -31002,
  KeyConflict: -31003,
  CursorInvalid: -31004,
  CursorMismatch: -31005,
  CursorTaken: -31006,
  CursorLost: -31007,
  CursorUnknown: -31008,
  QueueTaken: -31009,
  StorageFailed: -31010,
  StorageFull: -31011,
  OutcomeUnknown: -31012,
  Unavailable: -31013,
  SessionUnknown: -31014,
}

const toJson = Schema.encodeSync(Schema.fromJsonString(BusErrorSchema))
const ofJson = Schema.decodeUnknownOption(Schema.fromJsonString(BusErrorSchema))

export const encodeError = (error: BusError): RpcError => rpcError(errorCodes[error._tag], toJson(error))

const decoder = new TextDecoder()

/** The node's error in an RPC error; what is none is put into words. */
export const decodeError = (error: RpcError): BusError => {
  const known = Option.getOrUndefined(ofJson(decoder.decode(error.data)))
  if (known !== undefined) return known
  return error.code === ErrorCode.invalidParams
    ? new errors.InvalidArgument({ argument: "params", message: error.message })
    : new errors.Unavailable({ message: `the node did not do it: ${error.message}` })
}
