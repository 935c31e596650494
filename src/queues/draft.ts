/**
 * From what a caller wants to enqueue to what can be stored: all rules for input, in one place. Plain code, because it
 * runs for every item.
 */
import { InvalidArgument, MessageTooLarge, NotPermitted } from "../domain/errors.ts"
import * as Message from "../domain/Message.ts"
import * as NodeId from "../domain/NodeId.ts"
import { queueProblem } from "../domain/QueueItem.ts"
import * as Topic from "../domain/Topic.ts"
import type { EnqueueOptions } from "./Queues.ts"

/** An item that waits for its commit, which gives it an id, a sequence and a creation time. */
export class PendingItem {
  readonly queue: string
  readonly topic: string
  readonly target: NodeId.NodeId | undefined
  readonly headers: Message.Headers
  readonly payload: Uint8Array
  /** Content, in bytes: payload, topic and headers. */
  readonly bytes: number

  constructor(
    queue: string,
    topic: string,
    target: NodeId.NodeId | undefined,
    headers: Message.Headers,
    payload: Uint8Array,
    bytes: number,
  ) {
    this.queue = queue
    this.topic = topic
    this.target = target
    this.headers = headers
    this.payload = payload
    this.bytes = bytes
  }
}

export type DraftError = InvalidArgument | NotPermitted | MessageTooLarge

/** The last names that were found right, so that a name is not looked at again for each item. */
const knownMax = 1024

/** Remembers what was found right. */
const remembering = <E>(problem: (name: string) => E | undefined): ((name: string) => E | undefined) => {
  const known = new Set<string>()
  return (name) => {
    if (known.has(name)) return undefined
    const found = problem(name)
    if (found !== undefined) return found
    if (known.size >= knownMax) known.clear()
    known.add(name)
    return undefined
  }
}

const invalid = (argument: string, message: string | undefined): InvalidArgument | undefined =>
  message === undefined ? undefined : new InvalidArgument({ argument, message })

export const makeDrafter = (itemBytesMax: number) => {
  const queueError = remembering((queue) => invalid("queue", queueProblem(queue)))
  const topicError = remembering((topic): InvalidArgument | NotPermitted | undefined =>
    Topic.isReserved(topic)
      ? new NotPermitted({
          message: `topics that begin with "$" belong to the bus: ${JSON.stringify(topic)} cannot be enqueued`,
        })
      : invalid("topic", Topic.problem(topic)),
  )

  /** The draft, or why it cannot be enqueued. */
  return (
    queue: string,
    payload: Uint8Array | string,
    options: EnqueueOptions | undefined,
  ): PendingItem | DraftError => {
    const topic = options?.topic ?? queue
    const error = queueError(queue) ?? topicError(topic) ?? optionsError(options)
    if (error !== undefined) return error
    const headers = Message.makeHeaders(options?.headers)
    const content = typeof payload === "string" ? Buffer.from(payload) : payload
    const bytes = Message.contentBytes(topic, content, headers)
    if (bytes > itemBytesMax) return tooLarge(bytes, itemBytesMax)
    return new PendingItem(queue, topic, options?.target, headers, content, bytes)
  }
}

export const isDraftError = (draft: PendingItem | DraftError): draft is DraftError => !(draft instanceof PendingItem)

const optionsError = (options: EnqueueOptions | undefined): InvalidArgument | undefined =>
  options === undefined
    ? undefined
    : (invalid("target", options.target === undefined ? undefined : NodeId.problem(options.target)) ??
      invalid("headers", Message.headersProblem(options.headers)))

const tooLarge = (bytes: number, bytesMax: number): MessageTooLarge =>
  new MessageTooLarge({
    bytes,
    bytesMax,
    message: `an item of ${bytes.toLocaleString("en")} bytes is larger than this node takes, which is ${bytesMax.toLocaleString("en")} bytes`,
  })
