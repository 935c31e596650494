/**
 * Traces through queues: a span for each item that is enqueued, whose trace context travels with it, and one for each
 * attempt at it, which is its child.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { processing, sending } from "../domain/messagingSpans.ts"
import * as TraceContext from "../domain/TraceContext.ts"
import type { Queues } from "./Queues.ts"

/** The queues with spans for what is enqueued and done, where anybody collects them; else the queues as they are. */
export const traced = (queues: Queues["Service"], services: Context.Context<never>): Queues["Service"] => {
  if (TraceContext.tracerOf(services) === undefined) return queues
  return {
    ...queues,
    enqueue: (queue, payload, options) => {
      const headers = options?.headers
      return sending({ operation: "enqueue", destination: queue, headers, attributes: {} }, (span) =>
        Effect.tap(queues.enqueue(queue, payload, { ...options, headers: TraceContext.addTo(headers, span) }), (item) =>
          Effect.sync(() => span.attribute("messaging.message.id", item.id)),
        ),
      )
    },
    take: (queue, handler, options) =>
      queues.take(
        queue,
        (item) =>
          processing(queue, item.headers, {
            "messaging.message.id": item.id,
            "millrace.queue.sequence": item.sequence,
            "millrace.queue.attempts": item.attempts,
          })(handler(item)),
        options,
      ),
  }
}
