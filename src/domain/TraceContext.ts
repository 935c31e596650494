/**
 * Traces across processes: the W3C trace context (`traceparent`, `tracestate`), as it stands in the headers of messages
 * and in gRPC metadata, and the spans of effect that it stands for.
 *
 * It is not part of what a message says: the same message published again has another one.
 */
import * as Context from "effect/Context"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { Headers } from "./Message.ts"

/** The names of its headers, in lower case. */
export const traceparent = "traceparent"
export const tracestate = "tracestate"

/** What a trace's vendors say along its way, passed on as it came. */
const TraceState = Context.Reference<string | undefined>("millrace/domain/TraceState", {
  defaultValue: () => undefined,
})

/** The longest `tracestate` that is passed on, in UTF-16 units: what the recommendation asks for. */
const tracestateLengthMax = 512

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** The span that a trace context names; nothing where it names none, or is none. */
export const read = (parent: string | undefined, state?: string | undefined): Tracer.ExternalSpan | undefined => {
  const [, version, traceId, spanId, flags, more] = (parent === undefined ? undefined : form.exec(parent)) ?? []
  if (version === undefined || version === "ff" || (version === "00" && more !== undefined)) return undefined
  if (/^0+$/.test(traceId!) || /^0+$/.test(spanId!)) return undefined
  const hasState = state !== undefined && state !== "" && state.length <= tracestateLengthMax
  return Tracer.externalSpan({
    traceId: traceId!,
    spanId: spanId!,
    sampled: (Number.parseInt(flags!, 16) & 1) === 1,
    ...(hasState ? { annotations: Context.make(TraceState, state) } : {}),
  })
}

/** The span that a message's headers name. */
export const ofHeaders = (headers: Headers): Tracer.ExternalSpan | undefined =>
  read(headers[traceparent], headers[tracestate])

/** What to tell others of a span, so that theirs can be its children. */
export const write = (
  span: Tracer.AnySpan,
): { readonly traceparent: string; readonly tracestate: string | undefined } => ({
  traceparent: `00-${span.traceId.padStart(32, "0")}-${span.spanId}-${span.sampled ? "01" : "00"}`,
  tracestate: stateOf(span),
})

/** A trace's state came with the first of its spans that is not ours. */
const stateOf = (span: Tracer.AnySpan): string | undefined => {
  let at: Tracer.AnySpan | undefined = span
  while (at?._tag === "Span") at = Option.getOrUndefined(at.parent)
  return at === undefined ? undefined : Context.get(at.annotations, TraceState)
}

/** Headers with the trace context of a span; those that have one keep it. */
export const addTo = (headers: Readonly<Record<string, string>> | undefined, span: Tracer.AnySpan): Headers => {
  if (headers !== undefined && Object.hasOwn(headers, traceparent)) return headers
  const context = write(span)
  const added = Object.assign(Object.create(null) as Record<string, string>, headers)
  added[traceparent] = context.traceparent
  if (context.tracestate !== undefined) added[tracestate] = context.tracestate
  return added
}

/** Headers without a trace context. */
export const without = (headers: Headers): Headers => {
  if (!(traceparent in headers) && !(tracestate in headers)) return headers
  const rest = Object.create(null) as Record<string, string>
  for (const name of Object.keys(headers)) if (name !== traceparent && name !== tracestate) rest[name] = headers[name]!
  return rest
}

/** The tracer that spans go to, where anybody collects them: effect's own keeps them to itself. */
export const tracerOf = (services: Context.Context<never>): Tracer.Tracer | undefined => {
  const tracer = Context.get(services, Tracer.Tracer)
  return tracer === Tracer.nativeTracer ? undefined : tracer
}
