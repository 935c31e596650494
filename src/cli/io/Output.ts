/**
 * Standard output: bytes in chunks, one after another, each waited for, so that a slow reader slows its writer.
 *
 * A reader that has gone (`millrace fetch … | head -1`) is not a failure: writing then ends with `OutputClosed`, which
 * the program turns into a quiet end.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

export class OutputClosed extends Schema.TaggedError<OutputClosed>("millrace/OutputClosed")("OutputClosed", {}) {}

export class OutputFailed extends Schema.TaggedError<OutputFailed>("millrace/OutputFailed")("OutputFailed", {
  message: Schema.String,
}) {}

// What goes wrong is told to each write; without a listener it would also end the process.
process.stdout.on("error", () => {})
process.stderr.on("error", () => {})

const isClosed = (cause: unknown): boolean =>
  Predicate.hasProperty(cause, "code") && (cause.code === "EPIPE" || cause.code === "ERR_STREAM_DESTROYED")

/** Writes, and succeeds when the system has taken it. Text is written as UTF-8. */
export const write = (content: Uint8Array | string): Effect.Effect<void, OutputClosed | OutputFailed> =>
  Effect.callback((resume) => {
    process.stdout.write(content, (cause) => {
      resume(
        cause === null || cause === undefined
          ? Effect.void
          : isClosed(cause)
            ? new OutputClosed()
            : new OutputFailed({ message: `standard output cannot be written: ${cause.message}` }),
      )
    })
  })

/** Writes a value as one line of JSON. */
export const writeJson = (value: unknown) => write(`${JSON.stringify(value)}\n`)

/** Tells the person at the terminal something that is not output. */
export const tell = (sentence: string): Effect.Effect<void> =>
  Effect.sync(() => {
    process.stderr.write(`${sentence}\n`)
  })

/** Resolves when everything written so far is with the system, or cannot be any more. */
export const flushed = (): Promise<void> =>
  new Promise((resolve) => {
    process.stdout.write("", () => process.stderr.write("", () => resolve()))
  })
