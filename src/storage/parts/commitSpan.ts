/**
 * A span for each commit, where anybody collects them: a trace of its own, for it belongs to all writes that share it.
 * They are linked to each other.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Tracer from "effect/Tracer"
import * as TraceContext from "../../domain/TraceContext.ts"

/** Writes that a commit's span is linked to, at most. */
const linksMax = 128

/** A write that shares a commit, and the span that its caller is in. */
interface SharedWrite {
  readonly span: Tracer.AnySpan | undefined
}

const link = (span: Tracer.AnySpan): Tracer.SpanLink => ({ span, attributes: {} })

/** Gives what runs a commit within a span of this name; nothing where nobody collects them. */
export const make = (services: Context.Context<never>, name: string) => {
  if (TraceContext.tracerOf(services) === undefined) return undefined
  return <A, E>(writes: ReadonlyArray<SharedWrite>, commit: Effect.Effect<A, E>): Effect.Effect<A, E> => {
    const callers = writes.flatMap(({ span }) => (span === undefined ? [] : [span]))
    return Effect.useSpan(
      name,
      {
        root: true,
        links: callers.slice(0, linksMax).map(link),
        attributes: { "millrace.commit.writes": writes.length },
      },
      (span) => {
        for (const caller of callers) if (caller._tag === "Span") caller.addLinks([link(span)])
        return commit
      },
    )
  }
}
