/**
 * What a server tells of its calls: counts by method and outcome, how many are open, and a span for each where anybody
 * collects them, which is a child of the caller's.
 */
import { type Metadata, status } from "@grpc/grpc-js"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import * as TraceContext from "../../../domain/TraceContext.ts"
import type { TellRefusal } from "../../../transport/refusals.ts"

const calls = Metric.counter("millrace_grpc_calls_total", {
  description: "gRPC calls that have ended, by method and status; those that were refused are among them",
  incremental: true,
})
const open = Metric.gauge("millrace_grpc_calls_open", { description: "gRPC calls under way, by kind" })

/** A call has one answer, or is a stream in one direction or both. */
export type CallKind = "unary" | "stream"

/** A call that is watched. */
export interface WatchedCall {
  /** Runs its work as part of its span. */
  readonly within: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** It has ended with this status; only the first time counts. */
  readonly end: (code: status, details?: string) => void
}

/** What is looked at of a call. */
export interface Call {
  readonly metadata: Metadata
  readonly getPeer: () => string
}

const headerOf = (metadata: Metadata, name: string): string | undefined => {
  const [value] = metadata.get(name)
  return typeof value === "string" ? value : undefined
}

/** Clients that end like this were turned away, and an operator should know. */
const refusals: ReadonlySet<status> = new Set([
  status.RESOURCE_EXHAUSTED,
  status.PERMISSION_DENIED,
  status.UNAUTHENTICATED,
])

/** Makes what watches the calls of a server: to be told of each as it begins, by its `/service/method`. */
export const make = (services: Context.Context<never>, tellRefusal: TellRefusal) => {
  const clock = Context.get(services, Clock.Clock)
  const tracer = TraceContext.tracerOf(services)
  const counters = new Map<string, Metric.Counter<number>>()
  const opens = {
    unary: Metric.withAttributes(open, { kind: "unary" }),
    stream: Metric.withAttributes(open, { kind: "stream" }),
  }
  for (const gauge of Object.values(opens)) gauge.modifyUnsafe(0, services)

  const count = (path: string, code: status): void => {
    const key = `${path} ${code}`
    let counter = counters.get(key)
    if (counter === undefined) {
      counter = Metric.withAttributes(calls, { method: path.slice(1), code: status[code] })
      counters.set(key, counter)
    }
    counter.updateUnsafe(1, services)
  }

  const beginSpan = (path: string, metadata: Metadata): Tracer.Span | undefined => {
    if (tracer === undefined) return undefined
    const parent = TraceContext.read(
      headerOf(metadata, TraceContext.traceparent),
      headerOf(metadata, TraceContext.tracestate),
    )
    const [, service = "", method = ""] = path.split("/")
    const span = tracer.span({
      name: path.slice(1),
      parent: Option.fromNullishOr(parent),
      annotations: Context.empty(),
      links: [],
      startTime: clock.currentTimeNanosUnsafe(),
      kind: "server",
      root: false,
      sampled: parent?.sampled ?? true,
    })
    span.attribute("rpc.system", "grpc")
    span.attribute("rpc.service", service)
    span.attribute("rpc.method", method)
    return span
  }

  return (path: string, kind: CallKind, call: Call): WatchedCall => {
    const span = beginSpan(path, call.metadata)
    let hasEnded = false
    opens[kind].modifyUnsafe(1, services)
    return {
      within: span === undefined ? (effect) => effect : (effect) => Effect.withParentSpan(effect, span),
      end: (code, details = "") => {
        if (hasEnded) return
        hasEnded = true
        opens[kind].modifyUnsafe(-1, services)
        count(path, code)
        if (refusals.has(code)) {
          tellRefusal({
            kind: `${path} ${code}`,
            sentence: `a client was refused: ${details}`,
            annotations: { method: path.slice(1), code: status[code], peer: call.getPeer() },
          })
        }
        if (span === undefined) return
        span.attribute("rpc.grpc.status_code", code)
        span.end(clock.currentTimeNanosUnsafe(), code === status.OK ? Exit.void : Exit.fail(new Error(status[code])))
      },
    }
  }
}

export type CallWatch = ReturnType<typeof make>
