/**
 * Whether what a peer gave is what it was asked for. Plain functions.
 */
import type { LogId } from "../../domain/LogId.ts"
import { contentBytes } from "../../domain/Message.ts"
import * as NodeId from "../../domain/NodeId.ts"
import { PeerMisbehaved } from "../errors.ts"
import type { PeerMessage } from "../Peer.ts"

/** The longest id that is taken, in UTF-16 units; a UUID has 36. */
const idLengthMax = 255

export interface Asked {
  readonly log: LogId
  /** The first offset. */
  readonly from: number
  /** Messages, at most. */
  readonly limit: number
  /** The largest message: payload, topic and headers together, in bytes. */
  readonly messageBytesMax: number
}

const misbehaved = (reason: PeerMisbehaved["reason"], message: string): PeerMisbehaved =>
  new PeerMisbehaved({ reason, message })

/** What is wrong with what was given; undefined where it is all right, also where it is nothing. */
export const vet = (
  { log, from, limit, messageBytesMax }: Asked,
  messages: ReadonlyArray<PeerMessage>,
): PeerMisbehaved | undefined => {
  if (messages.length > limit) {
    return misbehaved("too much", `the peer gave ${messages.length} messages where ${limit} were asked for`)
  }
  for (let i = 0; i < messages.length; i++) {
    const { topic, origin, offset, id, createdAt, payload, headers } = messages[i]!
    if (topic !== log.topic || !NodeId.equals(origin, log.origin)) {
      const message = `the peer gave a message of ${topic}@${NodeId.format(origin)} where another log was asked for`
      return misbehaved("foreign message", message)
    }
    if (offset !== from + i) {
      return misbehaved("wrong offsets", `the peer gave offset ${offset} where ${from + i} was due`)
    }
    if (id === "" || id.length > idLengthMax || !Number.isSafeInteger(createdAt) || createdAt < 0) {
      return misbehaved("malformed message", `the message at offset ${offset} has an id or a time that cannot be`)
    }
    const bytes = contentBytes(topic, payload, headers)
    if (bytes > messageBytesMax) {
      const message = `the message at offset ${offset} has ${bytes} bytes, and at most ${messageBytesMax} are taken`
      return misbehaved("too much", message)
    }
  }
  return undefined
}
