/**
 * The client `.bus`: gives whoever can call it the durable plane, under the caller's access rules. What a caller has begun
 * ends with its connection.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { bus } from "../../domain/ClientName.ts"
import { connectWith } from "../../exchange/index.ts"
import * as Rpc from "../../rpc/index.ts"
import { Callers, type CallerSources } from "./Callers.ts"
import { cursorHandlers, type Held } from "./cursors.ts"
import { serving } from "./handler.ts"
import { queueHandlers, type Taking } from "./queues.ts"
import type { Reader } from "./Reader.ts"
import { Sessions } from "./Sessions.ts"
import { subscriptionHandlers } from "./subscriptions.ts"
import { topicsHandlers } from "./topics.ts"
import type { SubscribeError } from "../../topics/index.ts"

/** Questions that wait, or are being answered, at a time: most of them wait for something to come. */
const handledMax = 65_536

/** What comes for `.bus` and is not looked at yet: callers that send more go at its pace. */
const inboxFramesMax = 65_536

/** Answers calls until the scope closes. */
export const serveBus = Effect.fnUntraced(function* (
  sources: CallerSources,
): Effect.fn.Return<void, never, Scope.Scope> {
  const { core } = sources
  const scope = yield* Effect.scope
  const subscriptions = new Sessions<Reader<SubscribeError>>("subscription", scope)
  const holds = new Sessions<Held>("held cursor", scope)
  const takers = new Sessions<Taking>("taken queue", scope)
  const serve = serving(new Callers(sources))

  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  const left = (caller: string): Effect.Effect<void> =>
    Effect.forEach([subscriptions, holds, takers], (sessions) => sessions.left(caller), {
      discard: true,
      concurrency: "unbounded",
    })
  yield* Effect.acquireRelease(
    Effect.sync(() => core.watch({ joined: () => {}, left: ({ name }) => void runFork(left(name)) })),
    (unwatch) => Effect.sync(unwatch),
  )

  // Nobody else can have the name: it begins with a dot.
  const client = yield* Effect.orDie(connectWith(core, bus, true, { overflow: "dropNewest", inboxFramesMax }))
  yield* Rpc.make(client, {
    handledMax,
    handlers: {
      ...topicsHandlers(serve),
      ...subscriptionHandlers(serve, subscriptions),
      ...cursorHandlers(serve, holds),
      ...queueHandlers(serve, takers),
    },
  })
})
