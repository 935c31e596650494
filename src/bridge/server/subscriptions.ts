/** `.bus` gives messages: subscriptions of its callers. */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type * as Fiber from "effect/Fiber"
import type { SubscribeError } from "../../topics/index.ts"
import { present } from "../contract/Method.ts"
import * as contract from "../contract/subscriptions.ts"
import { messageFields, nodeOf } from "../contract/values.ts"
import type { Handlers, Serve } from "./handler.ts"
import { Reader } from "./Reader.ts"
import type { Sessions } from "./Sessions.ts"

/** How long a question may wait. */
export const waitOf = (wait: number | null | undefined): number =>
  Math.min(wait ?? contract.waitMillisDefault, contract.waitMillisMax)

/** What `Reader.next` gives, as it is written. */
export const answerOf = ({
  messages,
  live,
}: {
  messages: ReadonlyArray<Parameters<typeof messageFields>[0]>
  live: boolean
}) => ({
  messages: messages.map(messageFields),
  ...(live ? { live } : {}),
})

/** Runs fibers in a scope. */
export const forkingIn = Effect.map(
  Effect.context<Scope.Scope>(),
  (services) =>
    (effect: Effect.Effect<void>): Fiber.Fiber<void> =>
      Effect.runSyncWith(services)(Effect.forkScoped(effect)),
)

export const subscriptionHandlers = (serve: Serve, sessions: Sessions<Reader<SubscribeError>>): Handlers => ({
  ...serve(
    contract.subscribe,
    Effect.fnUntraced(function* ({ name, isConnected, topics }, { filter, from, ...params }) {
      const origin = yield* nodeOf(params.origin)
      const { incarnation } = yield* topics.info
      // "end" as a place: the subscriber must learn which end it was, or it could not come back to it.
      const start = from === null || from === undefined || from === "end" ? yield* topics.cursor : from
      const reader = Effect.map(
        forkingIn,
        (fork) =>
          new Reader<SubscribeError>((after, onLive) => {
            const again = after === undefined ? start : { incarnation, position: after }
            return topics.subscribe(filter, { origin, from: again, onLive })
          }, fork),
      )
      const { id } = yield* sessions.begin(name, isConnected, reader)
      const position = start === "start" ? 0 : typeof start === "object" ? start.position : undefined
      return { id, incarnation, ...present({ position }) }
    }),
  ),

  ...serve(
    contract.next,
    Effect.fnUntraced(function* ({ name }, { id, after, wait }) {
      const reader = yield* sessions.get(name, id)
      if (!reader.isInStep(after ?? undefined)) yield* reader.restart(after ?? undefined)
      return answerOf(yield* reader.next(waitOf(wait)))
    }),
  ),

  ...serve(contract.end, ({ name }, { id }) => Effect.as(sessions.end(name, id), undefined)),
})
