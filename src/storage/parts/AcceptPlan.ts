/**
 * What an accept will do, worked out before anything is written: which messages of another node are new, which turn a
 * stored message into a tombstone, and whether the batch has to be refused.
 *
 * Two messages at one offset are the same when their ids and creation times agree and, unless one of them is a
 * tombstone, their headers and payloads too: deleting takes content away, never identity.
 */
import { OffsetConflict, OffsetGap } from "../../domain/errors.ts"
import { format as formatLog, type LogId } from "../../domain/LogId.ts"
import { type Headers, noHeaders, noPayload } from "../../domain/Message.ts"
import { format as formatNode } from "../../domain/NodeId.ts"
import { headersEqual, payloadEqual } from "./Content.ts"
import type { ReplicatedMessage } from "../LogStore.ts"

/** What of a stored message decides whether another one is the same. */
export interface StoredContent {
  readonly id: string
  readonly createdAt: number
  readonly headers: Headers
  readonly payload: Uint8Array
  readonly deleted: boolean
}

export interface AcceptState {
  readonly log: LogId
  /** The log's head; 0 where it has none. */
  readonly head: number
  /** The stored message at an offset up to the head. */
  readonly stored: (offset: number) => StoredContent | undefined
  /** Whether the offset was deleted before its message came. */
  readonly tombstoned: (offset: number) => boolean
}

export interface AcceptPlan {
  /** New messages in the order of their offsets, from head + 1 on; tombstones without content. */
  readonly fresh: ReadonlyArray<ReplicatedMessage>
  /** Offsets of stored messages that turn into tombstones, in ascending order. */
  readonly deletes: ReadonlyArray<number>
}

/** The plan, or why the batch is refused. */
export const planAccept = (
  messages: ReadonlyArray<ReplicatedMessage>,
  state: AcceptState,
): AcceptPlan | OffsetConflict | OffsetGap => {
  const fresh: Array<ReplicatedMessage> = []
  const deletes = new Set<number>()
  for (const message of messages) {
    const expected = state.head + fresh.length + 1
    if (message.offset > expected) return gap(state.log, expected, message.offset)
    if (message.offset < expected) {
      const inBatch = message.offset > state.head
      const index = message.offset - state.head - 1
      const stored = inBatch ? fresh[index] : state.stored(message.offset)
      if (stored === undefined || !isSame(stored, message)) return conflict(state.log, message.offset)
      if (message.deleted && !stored.deleted) {
        if (inBatch) fresh[index] = tombstone(message)
        else deletes.add(message.offset)
      }
      continue
    }
    fresh.push(message.deleted || state.tombstoned(message.offset) ? tombstone(message) : message)
  }
  return { fresh, deletes: [...deletes].toSorted((a, b) => a - b) }
}

/** Whether two messages at one offset are the same one. */
export const isSame = (stored: StoredContent, message: ReplicatedMessage): boolean =>
  stored.id === message.id &&
  stored.createdAt === message.createdAt &&
  (stored.deleted ||
    message.deleted ||
    (headersEqual(stored.headers, message.headers) && payloadEqual(stored.payload, message.payload)))

const tombstone = (message: ReplicatedMessage): ReplicatedMessage => ({
  ...message,
  headers: noHeaders,
  payload: noPayload,
  deleted: true,
})

const gap = (log: LogId, expected: number, received: number): OffsetGap =>
  new OffsetGap({
    topic: log.topic,
    origin: formatNode(log.origin),
    expected,
    received,
    message: `the log ${formatLog(log)} goes on at offset ${expected}, but offset ${received} came`,
  })

export const conflict = (log: LogId, offset: number): OffsetConflict =>
  new OffsetConflict({
    topic: log.topic,
    origin: formatNode(log.origin),
    offset,
    message: `offset ${offset} of the log ${formatLog(log)} is stored with other content`,
  })
