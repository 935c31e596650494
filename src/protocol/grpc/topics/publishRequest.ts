/**
 * What goes out in publish requests and what comes back in their answers: plain functions of the client's side.
 */
import { toBinary } from "@bufbuild/protobuf"
import * as Effect from "effect/Effect"
import { MessageTooLarge, OutcomeUnknown } from "../../../domain/errors.ts"
import { contentBytes, makeHeaders, type Message, noHeaders, noPayload } from "../../../domain/Message.ts"
import type { NodeId } from "../../../domain/NodeId.ts"
import type { PublishError } from "../../../topics/Topics.ts"
import { draftBytes } from "../codec/codec.ts"
import { type BusError, decode } from "../codec/errorCodec.ts"
import { type Draft, DraftSchema, type PublishOutcome } from "../gen/millrace/v1/topics_pb.ts"

/** A request holds at most this many drafts, and about this many bytes unless one draft is larger. */
export const requestDraftsMax = 1024
export const requestBytesWanted = 512 * 1024

/** What a request has beside its drafts, at most. */
const requestFramingBytes = 32

/** What a node takes, in bytes. */
export interface NodeLimits {
  readonly messageBytesMax: number
  readonly requestBytesMax: number
}

/** Why a node would not take a draft, or `undefined`. */
export const tooLarge = (
  draft: Draft,
  { messageBytesMax, requestBytesMax }: NodeLimits,
): MessageTooLarge | undefined => {
  if (draftBytes(draft) <= requestBytesMax) return undefined
  const contained = contentBytes(draft.topic, draft.payload, draft.headers)
  const [bytes, bytesMax] =
    contained > messageBytesMax
      ? [contained, messageBytesMax]
      : [toBinary(DraftSchema, draft).byteLength + requestFramingBytes, requestBytesMax]
  if (bytes <= bytesMax) return undefined
  const message = `a message of ${bytes.toLocaleString("en")} bytes is larger than this node takes, which is ${bytesMax.toLocaleString("en")} bytes`
  return new MessageTooLarge({ bytes, bytesMax, message })
}

/** The drafts of an atomic batch in parts that are small enough for a request each. */
export const parts = (drafts: ReadonlyArray<Draft>): ReadonlyArray<Array<Draft>> => {
  const all: Array<Array<Draft>> = [[]]
  let bytes = 0
  for (const draft of drafts) {
    const more = draftBytes(draft)
    if (bytes > 0 && bytes + more > requestBytesWanted) {
      all.push([])
      bytes = 0
    }
    all[all.length - 1]!.push(draft)
    bytes += more
  }
  return all
}

/** The stored message that an outcome and its draft are. */
const storedMessage = (draft: Draft, outcome: PublishOutcome, origin: NodeId): Message => ({
  topic: draft.topic,
  origin,
  offset: Number(outcome.offset),
  position: Number(outcome.position),
  id: outcome.id,
  createdAt: Number(outcome.createdAtMs),
  headers: outcome.deleted ? noHeaders : makeHeaders(draft.headers),
  payload: outcome.deleted ? noPayload : draft.payload,
  deleted: outcome.deleted,
})

const publishErrors: ReadonlySet<string> = new Set<PublishError["_tag"]>([
  "AccessDenied",
  "InvalidArgument",
  "NotPermitted",
  "MessageTooLarge",
  "KeyConflict",
  "StorageFailed",
  "StorageFull",
  "OutcomeUnknown",
  "Unavailable",
])

const isPublishError = (error: BusError): error is PublishError => publishErrors.has(error._tag)

/** What the outcomes of some drafts, from the request's `first` on, mean to their publisher. */
export const result = (
  drafts: ReadonlyArray<Draft>,
  outcomes: ReadonlyArray<PublishOutcome>,
  first: number,
  origin: NodeId,
): Effect.Effect<ReadonlyArray<Message>, PublishError> => {
  const stored: Array<Message> = []
  for (let i = 0; i < drafts.length; i++) {
    const outcome = outcomes[first + i]
    if (outcome === undefined || outcome.error !== undefined) {
      const error = outcome?.error === undefined ? undefined : decode(outcome.error)
      if (error !== undefined && isPublishError(error)) return Effect.fail(error)
      return Effect.fail(
        new OutcomeUnknown({
          operation: "publish",
          message: `the node's answer cannot be understood: ${outcome?.error?.message ?? "an outcome is missing"}`,
        }),
      )
    }
    stored.push(storedMessage(drafts[i]!, outcome, origin))
  }
  return Effect.succeed(stored)
}
