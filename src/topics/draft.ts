/**
 * From what a caller wants to publish to what can be stored: all rules for input, in one place. Plain code, because it
 * runs for every message.
 */
import { InvalidArgument, MessageTooLarge, NotPermitted } from "../domain/errors.ts"
import * as Message from "../domain/Message.ts"
import { nameProblem } from "../domain/Name.ts"
import * as Topic from "../domain/Topic.ts"
import type { PublishOptions } from "./Topics.ts"

/** The longest key, in bytes of UTF-8. */
export const keyBytesMax = 1024

/**
 * A message that waits for its commit, which gives it an id and a creation time. A class, for the reason that
 * `PlaceableMessage` gives.
 */
export class PendingDraft {
  readonly topic: string
  readonly payload: Uint8Array
  readonly headers: Message.Headers
  readonly key: string | undefined
  /** Content, in bytes: payload, topic and headers. */
  readonly bytes: number

  constructor(topic: string, payload: Uint8Array, headers: Message.Headers, key: string | undefined, bytes: number) {
    this.topic = topic
    this.payload = payload
    this.headers = headers
    this.key = key
    this.bytes = bytes
  }
}

/** The last topics that were found right, so that a topic is not looked at again for each message. */
const knownTopicsMax = 1024

export type DraftError = InvalidArgument | NotPermitted | MessageTooLarge

export const makeDrafter = (messageBytesMax: number) => {
  const knownTopics = new Set<string>()

  const topicError = (topic: string): InvalidArgument | NotPermitted | undefined => {
    if (knownTopics.has(topic)) return undefined
    const wrong = Topic.problem(topic)
    if (wrong !== undefined) return new InvalidArgument({ argument: "topic", message: wrong })
    if (Topic.isReserved(topic)) {
      return new NotPermitted({
        message: `topics that begin with "$" belong to the bus: ${JSON.stringify(topic)} cannot be published to`,
      })
    }
    if (knownTopics.size >= knownTopicsMax) knownTopics.clear()
    knownTopics.add(topic)
    return undefined
  }

  /** The draft, or why it cannot be published. */
  return (
    topic: string,
    payload: Uint8Array | string,
    options: PublishOptions | undefined,
  ): PendingDraft | DraftError => {
    const error = topicError(topic) ?? optionsError(options)
    if (error !== undefined) return error
    const headers = Message.makeHeaders(options?.headers)
    const bytesOf = typeof payload === "string" ? Buffer.from(payload) : payload
    const bytes = Message.contentBytes(topic, bytesOf, headers)
    if (bytes > messageBytesMax) {
      return new MessageTooLarge({
        bytes,
        bytesMax: messageBytesMax,
        message: `a message of ${bytes.toLocaleString("en")} bytes is larger than this node takes, which is ${messageBytesMax.toLocaleString("en")} bytes`,
      })
    }
    return new PendingDraft(topic, bytesOf, headers, options?.key, bytes)
  }
}

export const isDraftError = (draft: PendingDraft | DraftError): draft is DraftError => !(draft instanceof PendingDraft)

const optionsError = (options: PublishOptions | undefined): InvalidArgument | undefined => {
  if (options === undefined) return undefined
  if (options.key !== undefined) {
    const wrong = nameProblem("key", options.key, keyBytesMax)
    if (wrong !== undefined) return new InvalidArgument({ argument: "key", message: wrong })
  }
  const wrong = Message.headersProblem(options.headers)
  return wrong === undefined ? undefined : new InvalidArgument({ argument: "headers", message: wrong })
}
