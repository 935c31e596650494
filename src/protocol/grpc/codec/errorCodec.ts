/**
 * The bus's typed errors on the wire: which gRPC status stands for which error, and how an error travels whole.
 *
 * A status code is what any client understands; beside it, in the trailing metadata entry `millrace-error-bin`, goes the
 * error itself, from which our client makes the same class again that was raised in the node.
 */
import { fromBinary, toBinary } from "@bufbuild/protobuf"
import { Metadata, type ServiceError, status } from "@grpc/grpc-js"
import {
  AccessDenied,
  CursorInvalid,
  CursorLost,
  CursorMismatch,
  CursorTaken,
  CursorUnknown,
  InvalidArgument,
  KeyConflict,
  MessageTooLarge,
  NotPermitted,
  OutcomeUnknown,
  QueueTaken,
  StorageFailed,
  StorageFull,
  Unavailable,
} from "../../../domain/errors.ts"
import * as syncErrors from "./syncErrors.ts"
import { type Error as ErrorMessage, ErrorSchema } from "../gen/millrace/v1/topics_pb.ts"

/** Every error that the services can fail with. */
export type BusError =
  | AccessDenied
  | InvalidArgument
  | NotPermitted
  | MessageTooLarge
  | KeyConflict
  | CursorInvalid
  | CursorLost
  | CursorMismatch
  | CursorTaken
  | CursorUnknown
  | StorageFailed
  | StorageFull
  | OutcomeUnknown
  | QueueTaken
  | syncErrors.SyncError
  | Unavailable

/** Too much waits to be stored already. It travels as `Unavailable`, which it is, with a status that says more. */
export class NoRoom {
  readonly _tag = "NoRoom"
  readonly message = "the node has more to store than it can keep waiting: nothing was stored, try again later"
}

/** There is no front to look at. */
export class QueueEmpty {
  readonly _tag = "QueueEmpty"
  readonly message: string
  constructor(queue: string) {
    this.message = `the queue ${JSON.stringify(queue)} is empty`
  }
}

/** Nobody knows who calls. It travels as `AccessDenied`, with a status that says more. */
export class Unauthenticated {
  readonly _tag = "Unauthenticated"
  /** Who it would be, if that is known. */
  readonly principal: string
  readonly message: string
  constructor(principal: string, message: string) {
    this.principal = principal
    this.message = message
  }
}

/** Every error that a call is answered with. */
export type ServedError = BusError | NoRoom | QueueEmpty | Unauthenticated

/** The trailing metadata entry that carries an error. */
export const errorKey = "millrace-error-bin"

/** Trailers share a few KiB with everything else in them: a longer sentence is cut. */
const sentenceLengthMax = 2048

const sentence = (text: string): string => text.slice(0, sentenceLengthMax).toWellFormed()

/**
 * The gRPC status for an error. A message over the size limit is RESOURCE_EXHAUSTED, as it is where the gRPC library
 * itself stops a request that is too large, and so is a full disk; an unknown outcome is INTERNAL, which no client repeats by itself.
 */
export const statusCode = (error: ServedError): status => {
  switch (error._tag) {
    case "InvalidArgument":
      return status.INVALID_ARGUMENT
    case "AccessDenied":
    case "NotPermitted":
      return status.PERMISSION_DENIED
    case "Unauthenticated":
      return status.UNAUTHENTICATED
    case "MessageTooLarge":
    case "StorageFull":
    case "NoRoom":
      return status.RESOURCE_EXHAUSTED
    case "QueueEmpty":
    case "CursorUnknown":
      return status.NOT_FOUND
    case "KeyConflict":
      return status.ALREADY_EXISTS
    case "CursorInvalid":
    case "CursorLost":
    case "CursorMismatch":
    case "CursorTaken":
    case "QueueTaken":
    case "NotResolvable":
    case "OffsetConflict":
    case "OffsetGap":
    case "PeerMisbehaved":
    case "PeerRefused":
    case "PeerUnreachable":
      return status.FAILED_PRECONDITION
    case "StorageFailed":
    case "OutcomeUnknown":
      return status.INTERNAL
    case "Unavailable":
      return status.UNAVAILABLE
  }
}

const kindOf = (error: ServedError): ErrorMessage["kind"] => {
  switch (error._tag) {
    case "InvalidArgument":
      return {
        case: "invalidArgument",
        value: { $typeName: "millrace.v1.InvalidArgument", argument: sentence(error.argument) },
      }
    case "AccessDenied": {
      const { object, principal, verb } = error
      return {
        case: "accessDenied",
        value: {
          $typeName: "millrace.v1.AccessDenied",
          verb,
          object: sentence(object),
          principal: sentence(principal),
        },
      }
    }
    case "Unauthenticated":
      return {
        case: "accessDenied",
        value: { $typeName: "millrace.v1.AccessDenied", verb: "connect", object: "", principal: error.principal },
      }
    case "NotPermitted":
      return { case: "notPermitted", value: { $typeName: "millrace.v1.NotPermitted" } }
    case "MessageTooLarge":
      return {
        case: "messageTooLarge",
        value: {
          $typeName: "millrace.v1.MessageTooLarge",
          bytes: BigInt(error.bytes),
          bytesMax: BigInt(error.bytesMax),
        },
      }
    case "KeyConflict":
      return {
        case: "keyConflict",
        value: {
          $typeName: "millrace.v1.KeyConflict",
          topic: error.topic,
          key: error.key,
          offset: BigInt(error.offset),
        },
      }
    case "CursorInvalid":
      return { case: "cursorInvalid", value: { $typeName: "millrace.v1.CursorInvalid" } }
    case "CursorLost":
      return { case: "cursorLost", value: { $typeName: "millrace.v1.CursorLost", cursor: sentence(error.cursor) } }
    case "CursorMismatch":
      return {
        case: "cursorMismatch",
        value: { $typeName: "millrace.v1.CursorMismatch", cursor: sentence(error.cursor) },
      }
    case "CursorTaken":
      return { case: "cursorTaken", value: { $typeName: "millrace.v1.CursorTaken", cursor: sentence(error.cursor) } }
    case "CursorUnknown":
      return {
        case: "cursorUnknown",
        value: { $typeName: "millrace.v1.CursorUnknown", cursor: sentence(error.cursor) },
      }
    case "StorageFailed":
      return {
        case: "storageFailed",
        value: { $typeName: "millrace.v1.StorageFailed", operation: sentence(error.operation) },
      }
    case "StorageFull":
      return {
        case: "storageFull",
        value: { $typeName: "millrace.v1.StorageFull", operation: sentence(error.operation) },
      }
    case "OutcomeUnknown":
      return {
        case: "outcomeUnknown",
        value: { $typeName: "millrace.v1.OutcomeUnknown", operation: sentence(error.operation) },
      }
    case "QueueTaken":
      return { case: "queueTaken", value: { $typeName: "millrace.v1.QueueTaken", queue: sentence(error.queue) } }
    case "NotResolvable":
    case "OffsetConflict":
    case "OffsetGap":
    case "PeerMisbehaved":
    case "PeerRefused":
    case "PeerUnreachable":
      return syncErrors.encode(error)
    case "QueueEmpty":
      return { case: undefined }
    case "Unavailable":
    case "NoRoom":
      return { case: "unavailable", value: { $typeName: "millrace.v1.Unavailable" } }
  }
}

/** An error as a message. */
export const encode = (error: ServedError): ErrorMessage => ({
  $typeName: "millrace.v1.Error",
  message: sentence(error.message),
  kind: kindOf(error),
})

/** The error that a message says, or `undefined` where it is of a kind that this version does not know. */
export const decode = ({ message, kind }: ErrorMessage): BusError | undefined => {
  switch (kind.case) {
    case "invalidArgument":
      return new InvalidArgument({ argument: kind.value.argument, message })
    case "accessDenied": {
      const { object, principal, verb } = kind.value
      return new AccessDenied({ verb, object, principal, message })
    }
    case "notPermitted":
      return new NotPermitted({ message })
    case "messageTooLarge":
      return new MessageTooLarge({ bytes: Number(kind.value.bytes), bytesMax: Number(kind.value.bytesMax), message })
    case "keyConflict":
      return new KeyConflict({
        topic: kind.value.topic,
        key: kind.value.key,
        offset: Number(kind.value.offset),
        message,
      })
    case "cursorInvalid":
      return new CursorInvalid({ message })
    case "cursorLost":
      return new CursorLost({ cursor: kind.value.cursor, message })
    case "cursorMismatch":
      return new CursorMismatch({ cursor: kind.value.cursor, message })
    case "cursorTaken":
      return new CursorTaken({ cursor: kind.value.cursor, message })
    case "cursorUnknown":
      return new CursorUnknown({ cursor: kind.value.cursor, message })
    case "storageFailed":
      return new StorageFailed({ operation: kind.value.operation, message })
    case "storageFull":
      return new StorageFull({ operation: kind.value.operation, message })
    case "outcomeUnknown":
      return new OutcomeUnknown({ operation: kind.value.operation, message })
    case "queueTaken":
      return new QueueTaken({ queue: kind.value.queue, message })
    case "notResolvable":
    case "offsetConflict":
    case "offsetGap":
    case "peerMisbehaved":
    case "peerRefused":
    case "peerUnreachable":
      return syncErrors.decode(message, kind)
    case "unavailable":
      return new Unavailable({ message })
    case undefined:
      return undefined
  }
}

/** What a server answers a failed call with. */
export interface FailureStatus {
  readonly code: status
  readonly details: string
  readonly metadata: Metadata
}

/** The status of a failed call, with the error itself in its metadata. */
export const toStatus = (error: ServedError, code: status = statusCode(error)): FailureStatus => {
  const metadata = new Metadata()
  // A key may be of any length, trailers may not: the error goes along where it fits, and the code always does.
  const bytes = toBinary(ErrorSchema, encode(error))
  if (bytes.byteLength <= 2 * sentenceLengthMax) metadata.set(errorKey, Buffer.from(bytes))
  return { code, details: sentence(error.message), metadata }
}

/** The node's own error in a failed call, or `undefined` where it did not send one. */
export const fromStatus = (failure: ServiceError): BusError | undefined => {
  const [bytes] = failure.metadata.get(errorKey)
  if (!Buffer.isBuffer(bytes)) return undefined
  try {
    return decode(fromBinary(ErrorSchema, bytes))
  } catch {
    // Not an error message of ours: the status code speaks for itself.
    return undefined
  }
}
