/**
 * An item of a queue. A queue is named like a topic is, by a name of its own: not blank, no NUL, well-formed Unicode, at
 * most 1,024 bytes of UTF-8. What failed too often is kept in the queue of the same name with `.dead` after it.
 */
import { nameProblem } from "./Name.ts"
import type { Headers } from "./Message.ts"
import type { NodeId } from "./NodeId.ts"

/** The longest name of a queue, in bytes of UTF-8, that of its dead queue included. */
export const queueBytesMax = 1024

const deadSuffix = ".dead"

/** The queue that takes what failed too often in a queue. */
export const deadQueueOf = (queue: string): string => `${queue}${deadSuffix}`

/** The queue that a dead queue belongs to; undefined of other queues. */
export const aliveQueueOf = (queue: string): string | undefined =>
  queue.length > deadSuffix.length && queue.endsWith(deadSuffix) ? queue.slice(0, -deadSuffix.length) : undefined

/** What is wrong with a queue's name, as a sentence without a full stop, or `undefined`. */
export const queueProblem = (queue: string): string | undefined =>
  nameProblem("queue", queue, queue.endsWith(deadSuffix) ? queueBytesMax : queueBytesMax - deadSuffix.length)

/** How an item came into a dead queue. */
export interface Death {
  /** Its sequence in the queue where it failed. */
  readonly sequence: number
  /** How often it was rejected there. */
  readonly attempts: number
  /** What the last rejection said, if anything. */
  readonly reason: string | undefined
  /** When that was, in milliseconds since 1970. */
  readonly at: number
}

export interface QueueItem {
  readonly queue: string
  /** Globally unique; a UUID where millrace made it. */
  readonly id: string
  /** Place in the queue: grows, and is never given twice. */
  readonly sequence: number
  /** How often it was rejected. */
  readonly attempts: number
  /** What the item is about, for whoever takes it. */
  readonly topic: string
  /** The node that enqueued it. */
  readonly source: NodeId
  /** The node it is for, if that was said. */
  readonly target: NodeId | undefined
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly headers: Headers
  readonly payload: Uint8Array
  /** Only in a dead queue. */
  readonly death: Death | undefined
}
