/**
 * The spans of those who publish and of those who work on what was published, named as OpenTelemetry's conventions for
 * messaging have it. Who works on a message is a child of who published it, also in another process: its trace context
 * travels in the message's headers.
 */
import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"
import type { Headers } from "./Message.ts"
import * as TraceContext from "./TraceContext.ts"

type Attributes = Readonly<Record<string, unknown>>

export interface Sending {
  /** What is done, in a word. */
  readonly operation: "publish" | "enqueue"
  /** The topic, or the queue; absent where there are several. */
  readonly destination: string | undefined
  /** Headers of what is sent, as far as one set of them stands for it. */
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly attributes: Attributes
}

/** Sends something within a span: `send` is to put its trace context into the headers (`TraceContext.addTo`). */
export const sending = <A, E, R>(
  { attributes, destination, headers, operation }: Sending,
  send: (span: Tracer.Span) => Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> => {
  // Headers that come with a trace context were made by somebody before us, in another process perhaps.
  const creator = headers === undefined ? undefined : TraceContext.ofHeaders(headers)
  return Effect.useSpan(
    destination === undefined ? operation : `${operation} ${destination}`,
    {
      kind: "producer",
      ...(creator === undefined ? {} : { parent: creator }),
      attributes: {
        "messaging.system": "millrace",
        "messaging.operation.name": operation,
        "messaging.operation.type": "send",
        ...(destination === undefined ? {} : { "messaging.destination.name": destination }),
        ...attributes,
      },
    },
    (span) => Effect.withParentSpan(send(span), span),
  )
}

/** Runs the work on a message within a span, where anybody collects them; else just runs it. */
export const processing =
  (destination: string, headers: Headers, attributes: Attributes) =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(Effect.tracer, (tracer) => {
      if (tracer === Tracer.nativeTracer) return work
      const creator = TraceContext.ofHeaders(headers)
      return Effect.useSpan(
        `process ${destination}`,
        {
          kind: "consumer",
          ...(creator === undefined ? {} : { parent: creator }),
          attributes: { ...consumerAttributes(destination), ...attributes },
        },
        (span) => Effect.withParentSpan(work, span),
      )
    })

/** Messages whose creators a span is linked to, at most. */
const linksMax = 128

/**
 * Runs the work on several messages at once within a span, where anybody collects them: it can be the child of one only,
 * so it is linked to who published them.
 */
export const processingAll =
  (destination: string, headers: ReadonlyArray<Headers>) =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(Effect.tracer, (tracer) => {
      if (tracer === Tracer.nativeTracer) return work
      const links: Array<Tracer.SpanLink> = []
      for (let i = 0; i < headers.length && links.length < linksMax; i++) {
        const span = TraceContext.ofHeaders(headers[i]!)
        if (span !== undefined) links.push({ span, attributes: {} })
      }
      const attributes = { ...consumerAttributes(destination), "messaging.batch.message_count": headers.length }
      return Effect.useSpan(`process ${destination}`, { kind: "consumer", links, attributes }, (span) =>
        Effect.withParentSpan(work, span),
      )
    })

const consumerAttributes = (destination: string) => ({
  "messaging.system": "millrace",
  "messaging.operation.name": "process",
  "messaging.operation.type": "process",
  "messaging.destination.name": destination,
})
