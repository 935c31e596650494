/**
 * The errors of syncing on the wire, as far as they come to those who look after a node.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { OffsetConflict, OffsetGap } from "../../../domain/errors.ts"
import { NotResolvable, PeerMisbehaved, PeerRefused } from "../../../replication/errors.ts"
import { PeerUnreachable } from "../../../replication/Peer.ts"
import type { Error as ErrorMessage } from "../gen/millrace/v1/topics_pb.ts"

export type SyncError = NotResolvable | OffsetConflict | OffsetGap | PeerMisbehaved | PeerRefused | PeerUnreachable

/** A kind of error in a message, and which of them are ours. */
type Kind = ErrorMessage["kind"]
type SyncKind = Extract<
  Kind,
  {
    readonly case:
      | "notResolvable"
      | "offsetConflict"
      | "offsetGap"
      | "peerMisbehaved"
      | "peerRefused"
      | "peerUnreachable"
  }
>

export const encode = (error: SyncError): SyncKind => {
  switch (error._tag) {
    case "NotResolvable":
      return { case: "notResolvable", value: { $typeName: "millrace.v1.NotResolvable", reason: error.reason } }
    case "OffsetConflict": {
      const { offset, origin, topic } = error
      return {
        case: "offsetConflict",
        value: { $typeName: "millrace.v1.OffsetConflict", topic, origin, offset: BigInt(offset) },
      }
    }
    case "OffsetGap": {
      const { expected, origin, received, topic } = error
      return {
        case: "offsetGap",
        value: {
          $typeName: "millrace.v1.OffsetGap",
          topic,
          origin,
          expected: BigInt(expected),
          received: BigInt(received),
        },
      }
    }
    case "PeerMisbehaved":
      return { case: "peerMisbehaved", value: { $typeName: "millrace.v1.PeerMisbehaved", reason: error.reason } }
    case "PeerRefused":
      return { case: "peerRefused", value: { $typeName: "millrace.v1.PeerRefused", reason: error.reason } }
    case "PeerUnreachable":
      return { case: "peerUnreachable", value: { $typeName: "millrace.v1.PeerUnreachable" } }
  }
}

const whyNotResolvable = Schema.decodeUnknownOption(NotResolvable.fields.reason)
const misbehaviour = Schema.decodeUnknownOption(PeerMisbehaved.fields.reason)
const whyRefused = Schema.decodeUnknownOption(PeerRefused.fields.reason)

/** The error, or `undefined` where its reason is one that this version does not know. */
export const decode = (message: string, kind: SyncKind): SyncError | undefined => {
  switch (kind.case) {
    case "notResolvable":
      return known(whyNotResolvable(kind.value.reason), (reason) => new NotResolvable({ reason, message }))
    case "offsetConflict": {
      const { offset, origin, topic } = kind.value
      return new OffsetConflict({ topic, origin, offset: Number(offset), message })
    }
    case "offsetGap": {
      const { expected, origin, received, topic } = kind.value
      return new OffsetGap({ topic, origin, expected: Number(expected), received: Number(received), message })
    }
    case "peerMisbehaved":
      return known(misbehaviour(kind.value.reason), (reason) => new PeerMisbehaved({ reason, message }))
    case "peerRefused":
      return known(whyRefused(kind.value.reason), (reason) => new PeerRefused({ reason, message }))
    case "peerUnreachable":
      return new PeerUnreachable({ message })
  }
}

const known = <Reason, Error>(reason: Option.Option<Reason>, make: (reason: Reason) => Error): Error | undefined =>
  Option.getOrUndefined(Option.map(reason, make))
