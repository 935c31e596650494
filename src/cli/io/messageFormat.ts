/**
 * Messages and items of queues as they are printed: a payload and a newline, byte for byte; or one JSON object a line.
 */
import { isUtf8 } from "node:buffer"
import * as LogId from "../../domain/LogId.ts"
import type { Message } from "../../domain/Message.ts"
import * as NodeId from "../../domain/NodeId.ts"
import type { QueueItem } from "../../domain/QueueItem.ts"

const newline = Buffer.from("\n")

/** The payloads, each with a newline. Deleted messages have none, and are left out. */
export const payloadLines = (messages: ReadonlyArray<Message>): Uint8Array => {
  const parts: Array<Uint8Array> = []
  for (const message of messages) if (!message.deleted) parts.push(message.payload, newline)
  return Buffer.concat(parts)
}

/** A message's identity, without its payload: what `publish --json` prints. */
export const storedObject = (message: Message) => ({
  topic: message.topic,
  origin: NodeId.format(message.origin),
  offset: message.offset,
  position: message.position,
  id: message.id,
  createdAt: message.createdAt,
  headers: message.headers,
  deleted: message.deleted,
})

/** A payload: `text` where it is valid UTF-8, else `base64`. */
export const payloadObject = ({ buffer, byteLength, byteOffset }: Uint8Array) => {
  const payload = Buffer.from(buffer, byteOffset, byteLength)
  return isUtf8(payload) ? { text: payload.toString("utf8") } : { base64: payload.toString("base64") }
}

/** All of a message. A deleted message's text is empty. */
export const messageObject = (message: Message) => ({ ...storedObject(message), ...payloadObject(message.payload) })

/** All of an item of a queue. */
export const itemObject = (item: QueueItem) => ({
  queue: item.queue,
  id: item.id,
  sequence: item.sequence,
  attempts: item.attempts,
  topic: item.topic,
  source: NodeId.format(item.source),
  ...(item.target === undefined ? {} : { target: NodeId.format(item.target) }),
  createdAt: item.createdAt,
  headers: item.headers,
  ...(item.death === undefined ? {} : { death: item.death }),
  ...payloadObject(item.payload),
})

const lines = (objects: ReadonlyArray<object>): string => {
  let text = ""
  for (const object of objects) text += `${JSON.stringify(object)}\n`
  return text
}

export const messageLines = (messages: ReadonlyArray<Message>): string => lines(messages.map(messageObject))

export const storedLines = (messages: ReadonlyArray<Message>): string => lines(messages.map(storedObject))

const escaped = (character: string): string => {
  const short = JSON.stringify(character).slice(1, -1)
  return short === character ? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}` : short
}

/** A name with whatever would break a line of text, or control a terminal, escaped. */
export const printable = (name: string): string => name.replace(/[\p{Cc}\u2028\u2029\\]/gu, escaped)

/** `topic@tenant/line/device`, fit for a line of text. */
export const logName = (log: LogId.LogId): string => printable(LogId.format(log))

const written: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f", "\\": "\\" }

/** The name that was made printable. */
const unprintable = (text: string): string =>
  text.replace(/\\(?:u([0-9a-fA-F]{4})|([nrtbf\\]))/g, (_, code: string | undefined, letter: string) =>
    code === undefined ? written[letter]! : String.fromCharCode(Number.parseInt(code, 16)),
  )

/**
 * Topic and origin of what `logName` has written; undefined where it cannot have. Both may hold an `@`, so there may be
 * several ways to read one: an origin has three parts, and most have no `@`.
 */
export const readLogName = (text: string): { readonly topic: string; readonly origin: string } | undefined => {
  const name = unprintable(text)
  const origins = name.split("@").map((_, i, parts) => parts.slice(i).join("@"))
  const origin = origins.findLast((part, i) => i > 0 && part.split("/").length === 3)
  return origin === undefined ? undefined : { topic: name.slice(0, -origin.length - 1), origin }
}
