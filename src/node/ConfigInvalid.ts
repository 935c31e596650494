/**
 * A setting that cannot be: which one, where it was written, and what it takes.
 */
import * as Schema from "effect/Schema"

/** `setting` is where the value came from, as its writer knows it: `--grpc`, `MILLRACE_GRPC`, `"grpc" in FILE`. */
export class ConfigInvalid extends Schema.TaggedError<ConfigInvalid>("millrace/ConfigInvalid")("ConfigInvalid", {
  setting: Schema.String,
  message: Schema.String,
}) {}
