/** `.bus` over the topics of its caller. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as NodeId from "../../domain/NodeId.ts"
import { present } from "../contract/Method.ts"
import * as contract from "../contract/topics.ts"
import { draftOf, messageFields, nodeOf, storedFields } from "../contract/values.ts"
import type { Handlers, Serve } from "./handler.ts"

export const topicsHandlers = (serve: Serve): Handlers => ({
  ...serve(contract.publish, ({ topics }, params) => {
    const { topic, payload, ...options } = draftOf(params)
    return Effect.map(topics.publish(topic, payload, options), storedFields)
  }),

  ...serve(contract.batch, ({ topics }, { messages }) =>
    Effect.map(topics.publishAll(messages.map(draftOf)), (stored) => ({ messages: stored.map(storedFields) })),
  ),

  ...serve(
    contract.fetch,
    Effect.fnUntraced(function* ({ topics }, { topic, origin, from, limit }) {
      const messages = yield* topics.fetch(topic, {
        origin: yield* nodeOf(origin),
        from: from ?? undefined,
        limit: limit ?? undefined,
      })
      return { messages: messages.map(messageFields) }
    }),
  ),

  ...serve(
    contract.head,
    Effect.fnUntraced(function* ({ topics }, { topic, origin }) {
      return present({ offset: Option.getOrUndefined(yield* topics.head(topic, yield* nodeOf(origin))) })
    }),
  ),

  ...serve(contract.heads, ({ topics }) =>
    Effect.map(topics.heads, (heads) => ({
      heads: heads.map(({ topic, origin, offset }) => ({ topic, origin: NodeId.format(origin), offset })),
    })),
  ),

  ...serve(contract.deleteRange, ({ topics }, { topic, from, to }) =>
    Effect.map(topics.deleteRange(topic, from, to), (deleted) => ({ deleted })),
  ),

  ...serve(contract.cursor, ({ topics }) => topics.cursor),

  ...serve(contract.info, ({ topics }) =>
    Effect.map(topics.info, ({ node, incarnation }) => ({ node: NodeId.format(node), incarnation })),
  ),

  ...serve(contract.check, ({ topics }) => Effect.as(topics.check, undefined)),
})
