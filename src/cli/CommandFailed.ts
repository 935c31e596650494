/** A command that failed for a reason of its own. */
import * as Schema from "effect/Schema"

export class CommandFailed extends Schema.TaggedError<CommandFailed>("millrace/CommandFailed")("CommandFailed", {
  message: Schema.String,
}) {}
