/**
 * What the acks of a server mean for whoever asked.
 */
import {
  type AccessDenied,
  type InvalidArgument,
  OutcomeUnknown,
  StorageFailed,
  Unavailable,
} from "../../../domain/errors.ts"
import { denied, full, invalid, type PublishLiveError, type SendError, unregistered } from "../../../exchange/index.ts"
import { ResultCode, resultName } from "../codec/results.ts"

const unexpected = (result: number): InvalidArgument => invalid("frame", `the server answered: ${resultName(result)}`)

export const sendAnswer =
  (principal: string, target: string) =>
  (result: number): SendError => {
    switch (result) {
      case ResultCode.notRegistered:
        return unregistered(target)
      case ResultCode.notDelivered:
        return full(target)
      case ResultCode.accessDenied:
        return denied(principal, "send", target)
      default:
        return unexpected(result)
    }
  }

export const broadcastAnswer =
  (principal: string, mask: string) =>
  (result: number): InvalidArgument | AccessDenied =>
    result === ResultCode.accessDenied ? denied(principal, "broadcast", mask) : unexpected(result)

export const publishAnswer =
  (principal: string, topic: string) =>
  (result: number): PublishLiveError => {
    const operation = "publish"
    switch (result) {
      case ResultCode.accessDenied:
        return denied(principal, operation, topic)
      case ResultCode.io:
        return new StorageFailed({ operation, message: `the node did not store the message on ${topic}` })
      case ResultCode.busy:
        return new Unavailable({ message: "the node has no room for the message now" })
      case ResultCode.timeout:
        return new OutcomeUnknown({ operation, message: `nobody knows whether the message on ${topic} was stored` })
      default:
        return unexpected(result)
    }
  }

/** The connection was lost before the answer came. */
export const publishUnanswered = (topic: string): OutcomeUnknown =>
  new OutcomeUnknown({
    operation: "publish",
    message: `the connection was lost before the node said whether it took the message on ${topic}`,
  })

export const filterAnswer =
  (principal: string, name: string, filter: string) =>
  (result: number): InvalidArgument | AccessDenied => {
    if (result === ResultCode.accessDenied) return denied(principal, "subscribe", filter)
    return result === ResultCode.busy ? invalid("filter", `${name} has too many subscriptions`) : unexpected(result)
  }
