/**
 * Durable to live: what is committed goes to the live clients that have subscribed to it, in the order of the journal, at
 * their pace: where one does not keep up, delivery waits for it as long as `Patience` says. Nobody else waits, and nothing
 * is kept for it: what was not delivered is read from storage then.
 *
 * Not delivered: tombstones, for there is nothing in them that a live client could use, and what is on topics that begin
 * with `$`.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Topic from "../../domain/Topic.ts"
import type { RoutingCore } from "../../exchange/index.ts"
import type { Follower, Following, Journal } from "../../topics/index.ts"
import { LiveFilters } from "./LiveFilters.ts"
import { Publications } from "./Publications.ts"

/** In whose name messages are delivered that no live client has published. */
export const busName = ".bus"

/** Delivers to the clients of a core, until the scope closes. Gives who publishes what. */
export const toLive = Effect.fnUntraced(function* (
  core: RoutingCore,
  journal: Journal["Service"],
): Effect.fn.Return<Publications, never, Scope.Scope> {
  let following: Following | undefined
  const filters = new LiveFilters(() => following?.changed())
  const publications = new Publications(() => following?.position() ?? 0)

  const follower: Follower = {
    wants: (topic) => !Topic.isReserved(topic) && core.hasSubscribers(topic),
    filters: () => filters.list(),
    take: (messages) => {
      let taken = 0
      while (taken < messages.length && !core.isCrowded) {
        const { deleted, id, payload, topic } = messages[taken++]!
        if (deleted) continue
        const publisher = publications.take(id)
        core.deliver(publisher?.name ?? busName, topic, payload, true, publisher?.isRealtime === true)
      }
      core.flush()
      return taken
    },
    whenReady: (resume) => core.waitForCrowded(resume),
    reached: (position) => {
      if (publications.reached(position)) core.flushSoon()
    },
  }

  for (const member of core.members) for (const filter of member.filters) filters.add(filter)
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      core.watch({
        joined: () => {},
        left: () => {},
        filtered: (filter, isMore) => (isMore ? filters.add(filter) : filters.remove(filter)),
      }),
    ),
    (unwatch) => Effect.sync(unwatch),
  )
  following = yield* journal.follow(follower)
  yield* Effect.addFinalizer(() => Effect.sync(() => publications.close()))
  return publications
})
