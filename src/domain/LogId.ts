/**
 * A log: the messages that one node (the origin) published to one topic, numbered 1, 2, 3 … without a gap. These
 * numbers are *offsets* (msgbus: `head_id`); the last one is the log's *head*.
 */
import * as Schema from "effect/Schema"
import * as NodeId from "./NodeId.ts"
import { Topic } from "./Topic.ts"

export const LogId = Schema.Struct({ topic: Topic, origin: NodeId.NodeId })

export interface LogId {
  readonly topic: string
  readonly origin: NodeId.NodeId
}

/** A place in a log: 1 is the first message. Beyond 2^53 - 1 JavaScript's numbers are no longer exact. */
export const Offset = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }))

/** A string that is equal for equal logs only: a key for Maps. */
export const key = (log: LogId): string => `${log.topic}\0${NodeId.key(log.origin)}`

/** `topic@tenant/line/device`, for people. */
export const format = (log: LogId): string => `${log.topic}@${NodeId.format(log.origin)}`

/** A log and the offset of its last message. */
export interface LogHead extends LogId {
  readonly offset: number
}

export const LogHead = Schema.Struct({ ...LogId.fields, offset: Offset })
