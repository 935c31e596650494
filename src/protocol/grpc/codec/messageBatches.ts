/**
 * Stored messages on their way out: as batches of bounded size, which are written in the wire format straight from the
 * messages themselves. A node that many read from does little else: no message is made into another object first, and
 * its bytes are copied once. What is written is what the contract says (`topics.proto`), and what the protobuf library
 * reads.
 */
import { type Message, noHeaders } from "../../../domain/Message.ts"
import type { NodeId } from "../../../domain/NodeId.ts"
import type { SelfEncoding } from "./wire.ts"
import { WireBuffer } from "./WireBuffer.ts"

/** A batch holds about this much at most, unless one message alone is larger. */
export const batchBytesMax = 256 * 1024

/** About what a message takes on the wire beside its payload: id, places and times. */
const overheadBytes = 96

/** The answers that a batch can be in. */
export type BatchAnswer =
  /** `SubscribeResponse.batch` and `ConsumeResponse.batch`, which are alike. */
  | "subscribe"
  /** `FetchResponse` */
  | "fetch"

export class MessageBatch implements SelfEncoding {
  /** In journal order, at least one. */
  readonly messages: ReadonlyArray<Message>
  /** About what it takes. */
  readonly bytes: number
  private readonly answer: BatchAnswer

  constructor(answer: BatchAnswer, messages: ReadonlyArray<Message>, bytes: number) {
    this.answer = answer
    this.messages = messages
    this.bytes = bytes
  }

  /** The journal's position of its last message. */
  get position(): number {
    return this.messages[this.messages.length - 1]!.position
  }

  encode(): Buffer {
    const { messages } = this
    // Payloads may be lent: rather an error than messages without what is in them.
    if (weightOf(messages) !== this.bytes) throw new Error("payloads were set free before they were sent")
    if (this.answer === "fetch") {
      writeBatch(1, messages)
      return out.finish()
    }
    const batch = out.begin(2)
    writeBatch(1, messages)
    out.number(2, this.position)
    out.end(batch)
    return out.finish()
  }
}

/** Stored messages as batches, in order. */
export const messageBatches = (answer: BatchAnswer, messages: ReadonlyArray<Message>): ReadonlyArray<MessageBatch> => {
  const batches: Array<MessageBatch> = []
  let from = 0
  let bytes = 0
  const finish = (to: number): void => {
    if (from === to) return
    batches.push(
      new MessageBatch(answer, from === 0 && to === messages.length ? messages : messages.slice(from, to), bytes),
    )
    from = to
    bytes = 0
  }
  for (let i = 0; i < messages.length; i++) {
    const own = weight(messages[i]!)
    if (bytes > 0 && bytes + own > batchBytesMax) finish(i)
    bytes += own
  }
  finish(messages.length)
  return batches
}

/** About how many bytes a message takes. */
const weight = ({ headers, payload }: Message): number => {
  let bytes = payload.byteLength + overheadBytes
  if (headers !== noHeaders) for (const name of Object.keys(headers)) bytes += name.length + headers[name]!.length
  return bytes
}

const weightOf = (messages: ReadonlyArray<Message>): number => {
  let bytes = 0
  for (let i = 0; i < messages.length; i++) bytes += weight(messages[i]!)
  return bytes
}

const out = new WireBuffer()

/** A field of type `MessageBatch`. */
const writeBatch = (field: number, messages: ReadonlyArray<Message>): void => {
  const batch = out.begin(field)
  const logs = writeLogs(messages)
  for (let i = 0; i < messages.length; i++) writeMessage(messages[i]!, typeof logs === "number" ? logs : logs[i]!)
  out.end(batch)
}

/** Lists the logs of messages, each once. Gives of each message which it is, or one number where there is one log. */
const writeLogs = (messages: ReadonlyArray<Message>): number | ReadonlyArray<number> => {
  const first = messages[0]!
  if (messages.every(({ origin, topic }) => topic === first.topic && origin === first.origin)) {
    writeLog(first)
    return 0
  }
  const indexes = new Map<string, Map<NodeId, number>>()
  let count = 0
  return messages.map((message) => {
    // Origins are compared as objects: equal ones that are not the same only cost an entry more.
    let origins = indexes.get(message.topic)
    if (origins === undefined) indexes.set(message.topic, (origins = new Map()))
    const known = origins.get(message.origin)
    if (known !== undefined) return known
    writeLog(message)
    origins.set(message.origin, count)
    return count++
  })
}

const writeLog = ({ origin, topic }: Message): void => {
  const log = out.begin(1)
  out.text(1, topic)
  const node = out.begin(2)
  out.text(1, origin.tenant)
  out.text(2, origin.line)
  out.text(3, origin.device)
  out.end(node)
  out.end(log)
}

const writeMessage = (message: Message, log: number): void => {
  const begun = out.begin(2)
  out.number(1, log)
  out.number(2, message.offset)
  out.number(3, message.position)
  out.text(4, message.id)
  out.number(5, message.createdAt)
  out.blob(6, message.payload)
  for (const name of Object.keys(message.headers)) {
    const header = out.begin(7)
    out.anyText(1, name)
    out.anyText(2, message.headers[name]!)
    out.end(header)
  }
  out.boolean(8, message.deleted)
  out.end(begun)
}
