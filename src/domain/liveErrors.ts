/**
 * The errors of the live plane. What it shares with the durable one is in `errors.ts`: `InvalidArgument`, `AccessDenied`,
 * `Unavailable`.
 */
import * as Schema from "effect/Schema"

/** Another client has the name. */
export class NameTaken extends Schema.TaggedError<NameTaken>("millrace/NameTaken")("NameTaken", {
  name: Schema.String,
  message: Schema.String,
}) {}

/** A secondary client needs its primary, which is not connected. */
export class PrimaryMissing extends Schema.TaggedError<PrimaryMissing>("millrace/PrimaryMissing")("PrimaryMissing", {
  name: Schema.String,
  primary: Schema.String,
  message: Schema.String,
}) {}

/** No client of that name is connected. */
export class NotRegistered extends Schema.TaggedError<NotRegistered>("millrace/NotRegistered")("NotRegistered", {
  name: Schema.String,
  message: Schema.String,
}) {}

/** The recipient is connected, and its buffer has no room: it does not keep up. */
export class NotDelivered extends Schema.TaggedError<NotDelivered>("millrace/NotDelivered")("NotDelivered", {
  name: Schema.String,
  message: Schema.String,
}) {}

/** This client is not connected any more. */
export class Disconnected extends Schema.TaggedError<Disconnected>("millrace/Disconnected")("Disconnected", {
  name: Schema.String,
  /** A `LeaveReason`, or `connectionLost`. */
  reason: Schema.String,
  message: Schema.String,
}) {}
