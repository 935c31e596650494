/**
 * The errors of the bus. Each carries a message for people and what a program needs to react.
 *
 * Four of them tell what became of a failed write, and every write fails with one of these or with a refusal:
 * `StorageFailed`, `StorageFull` and `Unavailable` changed nothing; after `OutcomeUnknown` the write may have happened or
 * not.
 * Repeating it with the same key is safe in every case.
 */
import * as Schema from "effect/Schema"

/** An argument that can never be right. */
export class InvalidArgument extends Schema.TaggedError<InvalidArgument>("millrace/InvalidArgument")(
  "InvalidArgument",
  {
    argument: Schema.String,
    message: Schema.String,
  },
) {}

/** The topic, or the origin, is not the caller's to write. */
export class NotPermitted extends Schema.TaggedError<NotPermitted>("millrace/NotPermitted")("NotPermitted", {
  message: Schema.String,
}) {}

/** Access rules do not let the principal do this. */
export class AccessDenied extends Schema.TaggedError<AccessDenied>("millrace/AccessDenied")("AccessDenied", {
  /** As the rules have it: `publish`, `subscribe`, … */
  verb: Schema.String,
  /** The topic, filter, name, mask or queue. */
  object: Schema.String,
  principal: Schema.String,
  message: Schema.String,
}) {}

/** A message is larger than the node takes. Sizes in bytes, of payload, topic and headers together. */
export class MessageTooLarge extends Schema.TaggedError<MessageTooLarge>("millrace/MessageTooLarge")(
  "MessageTooLarge",
  {
    bytes: Schema.Int,
    bytesMax: Schema.Int,
    message: Schema.String,
  },
) {}

/** The key was used before for other content. `offset` is where that content is. */
export class KeyConflict extends Schema.TaggedError<KeyConflict>("millrace/KeyConflict")("KeyConflict", {
  topic: Schema.String,
  key: Schema.String,
  offset: Schema.Int,
  message: Schema.String,
}) {}

/** A replicated message has other content than the one stored at its offset. */
export class OffsetConflict extends Schema.TaggedError<OffsetConflict>("millrace/OffsetConflict")("OffsetConflict", {
  topic: Schema.String,
  origin: Schema.String,
  offset: Schema.Int,
  message: Schema.String,
}) {}

/** A replicated message would leave a gap. */
export class OffsetGap extends Schema.TaggedError<OffsetGap>("millrace/OffsetGap")("OffsetGap", {
  topic: Schema.String,
  origin: Schema.String,
  expected: Schema.Int,
  received: Schema.Int,
  message: Schema.String,
}) {}

/** The cursor belongs to another store, or to a place that this one does not have. */
export class CursorInvalid extends Schema.TaggedError<CursorInvalid>("millrace/CursorInvalid")("CursorInvalid", {
  message: Schema.String,
}) {}

/** The named cursor was made for another topic, filter or origin. */
export class CursorMismatch extends Schema.TaggedError<CursorMismatch>("millrace/CursorMismatch")("CursorMismatch", {
  cursor: Schema.String,
  message: Schema.String,
}) {}

/** The named cursor has a holder already. */
export class CursorTaken extends Schema.TaggedError<CursorTaken>("millrace/CursorTaken")("CursorTaken", {
  cursor: Schema.String,
  message: Schema.String,
}) {}

/** Whoever held the named cursor has lost it: it was taken over, reset or deleted. It is where the last commit left it. */
export class CursorLost extends Schema.TaggedError<CursorLost>("millrace/CursorLost")("CursorLost", {
  cursor: Schema.String,
  message: Schema.String,
}) {}

/** There is no cursor of this name. */
export class CursorUnknown extends Schema.TaggedError<CursorUnknown>("millrace/CursorUnknown")("CursorUnknown", {
  cursor: Schema.String,
  message: Schema.String,
}) {}

/** The queue has a taker already. */
export class QueueTaken extends Schema.TaggedError<QueueTaken>("millrace/QueueTaken")("QueueTaken", {
  queue: Schema.String,
  message: Schema.String,
}) {}

/** The store could not do it, and nothing has changed. */
export class StorageFailed extends Schema.TaggedError<StorageFailed>("millrace/StorageFailed")("StorageFailed", {
  operation: Schema.String,
  message: Schema.String,
}) {}

/**
 * There is no room on the disk for anything new, and nothing has changed. What takes away goes on: acknowledgements,
 * rejections, deletions, cursors. When there is room again, so does the rest.
 */
export class StorageFull extends Schema.TaggedError<StorageFull>("millrace/StorageFull")("StorageFull", {
  operation: Schema.String,
  message: Schema.String,
}) {}

/** A write whose outcome nobody knows: an I/O error at the commit, or a connection lost before the answer. */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>("millrace/OutcomeUnknown")("OutcomeUnknown", {
  operation: Schema.String,
  message: Schema.String,
}) {}

/** How a store fails to write. */
export type WriteFailure = StorageFailed | StorageFull | OutcomeUnknown

/** The node cannot be reached, is closing, or has no room before the deadline; nothing has changed. */
export class Unavailable extends Schema.TaggedError<Unavailable>("millrace/Unavailable")("Unavailable", {
  message: Schema.String,
}) {}

/** Why a store cannot be used at all. */
export const StoreRefusal = Schema.Literals([
  "held",
  "not a database",
  "damaged",
  "incomplete",
  "newer format",
  "other identity",
  "not writable",
  "not durable enough",
  "not available",
])

/** A store could not be opened. */
export class StoreUnusable extends Schema.TaggedError<StoreUnusable>("millrace/StoreUnusable")("StoreUnusable", {
  reason: StoreRefusal,
  message: Schema.String,
}) {}
