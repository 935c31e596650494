/**
 * A command line that cannot be carried out as it stands. Ends the program with exit code 2.
 */
import * as Schema from "effect/Schema"

export class UsageError extends Schema.TaggedError<UsageError>("millrace/UsageError")("UsageError", {
  message: Schema.String,
}) {}
