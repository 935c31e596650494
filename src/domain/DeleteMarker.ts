/**
 * The marker of a deletion: a message on `$msgbus.delete`, in the log of the node that deleted, whose payload says
 * which range of which log is gone. Its JSON is msgbus's, name by name.
 */
import * as Schema from "effect/Schema"
import type { LogId } from "./LogId.ts"
import { Offset } from "./LogId.ts"
import { Topic } from "./Topic.ts"

const encoder = new TextEncoder()

const Name = Schema.NonEmptyString

/** A marker's payload, as JSON text. */
export const DeleteMarker = Schema.fromJsonString(
  Schema.Struct({
    topic: Topic,
    origin: Schema.Struct({ tenant_id: Name, bl_name: Name, device_id: Name }),
    from_head_id: Offset,
    to_head_id: Offset,
    created_at_ms: Schema.Int,
  }),
)

/** A range of a log that was deleted, from its first to its last offset. */
export interface DeletedRange {
  readonly log: LogId
  readonly from: number
  readonly to: number
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/** The payload of a range's marker, as UTF-8. */
export const payload = ({ log, from, to, createdAt }: DeletedRange): Uint8Array =>
  encoder.encode(
    JSON.stringify({
      topic: log.topic,
      origin: { tenant_id: log.origin.tenant, bl_name: log.origin.line, device_id: log.origin.device },
      from_head_id: from,
      to_head_id: to,
      created_at_ms: createdAt,
    }),
  )
