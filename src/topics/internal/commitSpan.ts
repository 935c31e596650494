/**
 * A span for each commit, where anybody collects them: a trace of its own, for it belongs to all publishes that share
 * it. They are linked to each other.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Tracer from "effect/Tracer"
import * as TraceContext from "../../domain/TraceContext.ts"
import type { AppendEntry } from "./entries.ts"

/** Publishes that a commit's span is linked to, at most. */
const linksMax = 128

const link = (span: Tracer.AnySpan): Tracer.SpanLink => ({ span, attributes: {} })

/** Gives what runs a commit within a span; nothing where nobody collects them. */
export const make = (services: Context.Context<never>) => {
  if (TraceContext.tracerOf(services) === undefined) return undefined
  return <A, E>(entries: ReadonlyArray<AppendEntry>, commit: Effect.Effect<A, E>): Effect.Effect<A, E> => {
    const publishes: Array<Tracer.AnySpan> = []
    let messages = 0
    for (const { count, span } of entries) {
      messages += count
      if (span !== undefined) publishes.push(span)
    }
    return Effect.useSpan(
      "commit",
      {
        root: true,
        links: publishes.slice(0, linksMax).map(link),
        attributes: { "millrace.commit.messages": messages, "millrace.commit.requests": entries.length },
      },
      (span) => {
        for (const publish of publishes) if (publish._tag === "Span") publish.addLinks([link(span)])
        return commit
      },
    )
  }
}
