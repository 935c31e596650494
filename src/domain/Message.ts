/**
 * A message as it is stored.
 */
import * as Schema from "effect/Schema"
import { Offset } from "./LogId.ts"
import { NodeId } from "./NodeId.ts"
import { Topic } from "./Topic.ts"
import { byteLength } from "./utf8.ts"

/** Names and values that travel with a payload. Objects have no prototype, so that `__proto__` is a name like any other. */
export type Headers = Readonly<Record<string, string>>

/** No headers: shared, so that messages without headers cost nothing for them. */
export const noHeaders: Headers = Object.freeze(Object.create(null) as Record<string, string>)

/** A copy without a prototype of any object's own entries. */
export const makeHeaders = (entries: Readonly<Record<string, string>> | undefined): Headers => {
  if (entries === undefined || entries === noHeaders) return noHeaders
  let headers: Record<string, string> | undefined
  for (const name of Object.keys(entries)) {
    headers ??= Object.create(null) as Record<string, string>
    headers[name] = entries[name]!
  }
  return headers ?? noHeaders
}

/**
 * A stored message. `topic` and `origin` name its log, `offset` its place there; `position` is its place in the journal
 * of the store that it was read from, and means nothing elsewhere.
 */
export interface Message {
  readonly topic: string
  readonly origin: NodeId
  /** Place in the log: 1, 2, 3 … */
  readonly offset: number
  /** Place in the store's journal: grows, may jump. */
  readonly position: number
  /** Globally unique; a UUID where millrace made it. */
  readonly id: string
  /** Milliseconds since 1970, by the clock of the origin. */
  readonly createdAt: number
  readonly headers: Headers
  /** Empty where `deleted`. */
  readonly payload: Uint8Array
  /** A tombstone: the message was deleted, its place remains. */
  readonly deleted: boolean
}

export const Message = Schema.Struct({
  topic: Topic,
  origin: NodeId,
  offset: Offset,
  position: Offset,
  id: Schema.NonEmptyString,
  createdAt: Schema.Int,
  headers: Schema.Record(Schema.String, Schema.String),
  payload: Schema.Uint8Array,
  deleted: Schema.Boolean,
})

/** No payload: what every tombstone holds. */
export const noPayload: Uint8Array = new Uint8Array(0)

/** The bytes that a message brings along: payload, topic, and headers with their names. */
export const contentBytes = (topic: string, payload: Uint8Array, headers: Headers): number => {
  let bytes = payload.byteLength + topic.length
  if (headers !== noHeaders) {
    for (const name of Object.keys(headers)) bytes += byteLength(name) + byteLength(headers[name]!)
  }
  return bytes
}

/**
 * About what a message costs in memory while it waits somewhere, in bytes: its content and the objects around it
 * (measured with `--expose-gc` on Node 24: 260 bytes for a message of 100 bytes that came in a page).
 */
export const residentBytes = (message: Message): number =>
  280 + message.payload.byteLength + (message.headers === noHeaders ? 0 : 400)

/** What is wrong with headers as somebody gave them, as a sentence without a full stop, or `undefined`. */
export const headersProblem = (headers: Readonly<Record<string, unknown>> | undefined): string | undefined => {
  if (headers === undefined) return undefined
  for (const name of Object.keys(headers)) {
    const value = headers[name]
    if (name === "" || !name.isWellFormed() || typeof value !== "string" || !value.isWellFormed()) {
      return `a header has a name and a value of well-formed Unicode, unlike ${JSON.stringify(name)}`
    }
  }
  return undefined
}

/** The messages after a position of the journal, of messages in its order. */
export const after = (messages: ReadonlyArray<Message>, position: number): ReadonlyArray<Message> => {
  let first = 0
  while (first < messages.length && messages[first]!.position <= position) first++
  return first === 0 ? messages : messages.slice(first)
}

/** Those messages that are at an offset or beyond it. All of one log are, once one of them is, unless it was discarded and came anew. */
export const notBelow = (messages: ReadonlyArray<Message>, offset: number): ReadonlyArray<Message> =>
  offset === 1 || messages.every((message) => message.offset >= offset)
    ? messages
    : messages.filter((message) => message.offset >= offset)
