/**
 * Traces through topics: a span for each publish, whose trace context travels with the message, and one for the work on
 * a message, which is its child.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Tracer from "effect/Tracer"
import type { Message } from "../domain/Message.ts"
import { processing, processingAll, sending } from "../domain/messagingSpans.ts"
import * as TraceContext from "../domain/TraceContext.ts"
import { byteLength } from "../domain/utf8.ts"
import type { PublishDraft, Topics } from "./Topics.ts"

/** Runs the work on a message as part of the trace that the message was published in, where anybody collects spans. */
export const handling = ({ headers, id, offset, payload, topic }: Message) =>
  processing(topic, headers, {
    "messaging.message.id": id,
    "messaging.message.body.size": payload.byteLength,
    "millrace.message.offset": offset,
  })

/** The topics with spans for what is published, where anybody collects them; else the topics as they are. */
export const traced = (topics: Topics["Service"], services: Context.Context<never>): Topics["Service"] => {
  if (TraceContext.tracerOf(services) === undefined) return topics
  return {
    ...topics,
    publish: (topic, payload, options) => {
      const headers = options?.headers
      const attributes = { "messaging.message.body.size": bytesOf(payload) }
      return sending({ operation: "publish", destination: topic, headers, attributes }, (span) =>
        Effect.tap(
          topics.publish(topic, payload, { ...options, headers: TraceContext.addTo(headers, span) }),
          (message) => Effect.sync(() => note(span, message)),
        ),
      )
    },
    consume: (name, filter, handler, options) =>
      topics.consume(name, filter, (message) => handling(message)(handler(message)), options),
    consumeChunks: (name, filter, handler, options) =>
      topics.consumeChunks(
        name,
        filter,
        (messages) =>
          processingAll(
            filter,
            messages.map(({ headers }) => headers),
          )(handler(messages)),
        options,
      ),
    publishAll: (drafts) => {
      const first = drafts[0]
      const destination = drafts.every(({ topic }) => topic === first?.topic) ? first?.topic : undefined
      const attributes = { "messaging.batch.message_count": drafts.length }
      return sending({ operation: "publish", destination, headers: first?.headers, attributes }, (span) =>
        topics.publishAll(
          drafts.map((draft): PublishDraft => ({ ...draft, headers: TraceContext.addTo(draft.headers, span) })),
        ),
      )
    },
  }
}

const bytesOf = (payload: Uint8Array | string): number =>
  typeof payload === "string" ? byteLength(payload) : payload.byteLength

const note = (span: Tracer.Span, { id, offset }: Message): void => {
  span.attribute("messaging.message.id", id)
  span.attribute("millrace.message.offset", offset)
}
