/**
 * Batches and pages as bytes, for the way between threads. Topics and logs are written once each, however many messages
 * name them; what comes out equals what went in.
 */
import { type LogId, key as logKey } from "../../domain/LogId.ts"
import { type Headers, type Message, noHeaders, noPayload } from "../../domain/Message.ts"
import { headersFromText, headersToText } from "../Content.ts"
import type { Draft, ReplicatedMessage } from "../LogStore.ts"
import { PackedReader, PackedWriter } from "./PackedBytes.ts"

const absent = -1

const writeHeaders = (writer: PackedWriter, headers: Headers): void => {
  const text = headersToText(headers)
  if (text === null) writer.number(absent)
  else {
    writer.number(1)
    writer.text(text)
  }
}

const readHeaders = (reader: PackedReader): Headers =>
  reader.number() === absent ? noHeaders : headersFromText(reader.text())

const readPayload = (reader: PackedReader): Uint8Array => {
  const payload = reader.payload()
  return payload.byteLength === 0 ? noPayload : payload
}

/** Requests to append. */
export const packDrafts = (requests: ReadonlyArray<ReadonlyArray<Draft>>): ArrayBuffer => {
  const writer = new PackedWriter()
  const topics = new Map<string, number>()
  writer.number(requests.length)
  for (const request of requests) {
    writer.number(request.length)
    for (const draft of request) {
      writeNamed(writer, topics, draft.topic)
      writer.text(draft.id)
      writer.number(draft.createdAt)
      writeHeaders(writer, draft.headers)
      writer.payload(draft.payload)
      if (draft.key === undefined) writer.number(absent)
      else {
        writer.number(1)
        writer.text(draft.key)
      }
    }
  }
  return writer.finish()
}

export const unpackDrafts = (buffer: ArrayBuffer): ReadonlyArray<ReadonlyArray<Draft>> => {
  const reader = new PackedReader(buffer)
  const topics: Array<string> = []
  const requests: Array<ReadonlyArray<Draft>> = []
  for (let left = reader.number(); left > 0; left--) {
    const request: Array<Draft> = []
    for (let drafts = reader.number(); drafts > 0; drafts--) {
      request.push({
        topic: readNamed(reader, topics),
        id: reader.text(),
        createdAt: reader.number(),
        headers: readHeaders(reader),
        payload: readPayload(reader),
        key: reader.number() === absent ? undefined : reader.text(),
      })
    }
    requests.push(request)
  }
  return requests
}

/** A name: its number, and the name itself where it is the first time. */
const writeNamed = (writer: PackedWriter, names: Map<string, number>, name: string): void => {
  const known = names.get(name)
  if (known !== undefined) writer.number(known)
  else {
    writer.number(names.size)
    names.set(name, names.size)
    writer.text(name)
  }
}

const readNamed = (reader: PackedReader, names: Array<string>): string => {
  const index = reader.number()
  if (index < names.length) return names[index]!
  const name = reader.text()
  names.push(name)
  return name
}

/** Stored messages, of any logs. */
export const packMessages = (messages: ReadonlyArray<Message>): ArrayBuffer => {
  const writer = new PackedWriter()
  const logs = new Map<string, number>()
  let topic: string | undefined
  let origin: LogId["origin"] | undefined
  let index = 0
  writer.number(messages.length)
  for (const message of messages) {
    let isNew = false
    // Messages of one log mostly come in runs that share the very objects.
    if (message.topic !== topic || message.origin !== origin) {
      topic = message.topic
      origin = message.origin
      const key = logKey(message)
      const known = logs.get(key)
      isNew = known === undefined
      index = known ?? logs.size
      if (isNew) logs.set(key, index)
    }
    writer.number(index)
    if (isNew) {
      writer.text(message.topic)
      writer.text(message.origin.tenant)
      writer.text(message.origin.line)
      writer.text(message.origin.device)
    }
    writer.number(message.offset)
    writer.number(message.position)
    writer.text(message.id)
    writer.number(message.createdAt)
    writeHeaders(writer, message.headers)
    writer.payload(message.payload)
    writer.number(message.deleted ? 1 : 0)
  }
  return writer.finish()
}

export const unpackMessages = (buffer: ArrayBuffer): ReadonlyArray<Message> => {
  const reader = new PackedReader(buffer)
  const logs: Array<LogId> = []
  const messages: Array<Message> = []
  for (let left = reader.number(); left > 0; left--) {
    const index = reader.number()
    if (index === logs.length) {
      const topic = reader.text()
      logs.push({ topic, origin: { tenant: reader.text(), line: reader.text(), device: reader.text() } })
    }
    const log = logs[index]!
    messages.push({
      topic: log.topic,
      origin: log.origin,
      offset: reader.number(),
      position: reader.number(),
      id: reader.text(),
      createdAt: reader.number(),
      headers: readHeaders(reader),
      payload: readPayload(reader),
      deleted: reader.number() === 1,
    })
  }
  return messages
}

/** Messages of another node. */
export const packReplicas = (messages: ReadonlyArray<ReplicatedMessage>): ArrayBuffer => {
  const writer = new PackedWriter()
  writer.number(messages.length)
  for (const message of messages) {
    writer.number(message.offset)
    writer.text(message.id)
    writer.number(message.createdAt)
    writeHeaders(writer, message.headers)
    writer.payload(message.payload)
    writer.number(message.deleted ? 1 : 0)
  }
  return writer.finish()
}

export const unpackReplicas = (buffer: ArrayBuffer): ReadonlyArray<ReplicatedMessage> => {
  const reader = new PackedReader(buffer)
  const messages: Array<ReplicatedMessage> = []
  for (let left = reader.number(); left > 0; left--) {
    messages.push({
      offset: reader.number(),
      id: reader.text(),
      createdAt: reader.number(),
      headers: readHeaders(reader),
      payload: readPayload(reader),
      deleted: reader.number() === 1,
    })
  }
  return messages
}
