/**
 * A client's calls as spans, where anybody collects them, and the trace context in their metadata, so that the node's
 * spans are children of these.
 */
import type { Metadata } from "@grpc/grpc-js"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"
import * as TraceContext from "../../../domain/TraceContext.ts"

const addSpan = (metadata: Metadata, span: Tracer.AnySpan | undefined): Metadata => {
  if (span === undefined) return metadata
  const { traceparent, tracestate } = TraceContext.write(span)
  metadata.set(TraceContext.traceparent, traceparent)
  if (tracestate !== undefined) metadata.set(TraceContext.tracestate, tracestate)
  return metadata
}

export interface CallSpans {
  /** Makes a call, by its `/service/method`, within a span of its own. */
  readonly calling: <A, E>(path: string, call: (metadata: Metadata) => Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** For a stream, which has no end to wait for: the span that its caller is in. */
  readonly metadataOfCaller: () => Metadata
}

/** @param metadata makes what goes along with every call */
export const make = (services: Context.Context<never>, metadata: () => Metadata): CallSpans => {
  if (TraceContext.tracerOf(services) === undefined) {
    return { calling: (_, call) => call(metadata()), metadataOfCaller: metadata }
  }
  return {
    calling: (path, call) => {
      const [, service, method] = path.split("/")
      const attributes = { "rpc.system": "grpc", "rpc.service": service, "rpc.method": method }
      return Effect.useSpan(path.slice(1), { kind: "client", attributes }, (span) => call(addSpan(metadata(), span)))
    },
    metadataOfCaller: () => addSpan(metadata(), Fiber.getCurrent()?.cache.span),
  }
}
