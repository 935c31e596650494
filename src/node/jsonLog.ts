/**
 * The log for programs: one JSON object a line, with `time`, `level`, `message`, the annotations, the ids of the trace
 * and span that it belongs to, and errors as objects.
 */
import * as Cause from "effect/Cause"
import * as Formatter from "effect/Formatter"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { redact } from "./StorageSetting.ts"

interface LoggedError {
  readonly type: string
  readonly message: string
  readonly stack: string | undefined
}

/** Each failure and defect; an interruption is none. */
const errorsOf = (cause: Cause.Cause<unknown>): ReadonlyArray<LoggedError> =>
  Cause.prettyErrors(cause).map(({ message, name, stack }) => ({
    type: name,
    message: redact(message),
    stack: stack === undefined ? undefined : redact(stack),
  }))

const textOf = (part: unknown): string => redact(typeof part === "string" ? part : Formatter.formatJson(part))

const plain = (value: unknown): unknown => (typeof value === "string" ? redact(value) : value)

/** Errors stand in a message too: `logError("it failed", error)`. */
const split = (message: unknown): { readonly texts: Array<string>; readonly causes: Array<Cause.Cause<unknown>> } => {
  const texts: Array<string> = []
  const causes: Array<Cause.Cause<unknown>> = []
  for (const part of Array.isArray(message) ? message : [message]) {
    if (Cause.isCause(part)) causes.push(part)
    else if (part instanceof Error) causes.push(Cause.fail(part))
    else texts.push(textOf(part))
  }
  return { texts, causes }
}

export const jsonLogger: Logger.Logger<unknown, string> = Logger.make(({ cause, date, fiber, logLevel, message }) => {
  const { causes, texts } = split(message)
  const errors = [cause, ...causes].flatMap(errorsOf)
  const annotations = Object.entries(fiber.getRef(References.CurrentLogAnnotations))
  const { span } = fiber.cache
  return Formatter.formatJson({
    time: date.toISOString(),
    level: logLevel.toLowerCase(),
    message: texts.join(" "),
    ...(annotations.length === 0
      ? {}
      : { annotations: Object.fromEntries(annotations.map(([name, value]) => [name, plain(value)])) }),
    ...(span === undefined ? {} : { traceId: span.traceId, spanId: span.spanId }),
    ...(errors.length === 0 ? {} : { errors }),
  })
})
