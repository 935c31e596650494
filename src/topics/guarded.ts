/**
 * Topics for one principal: the same service, and before each operation the one decision of access rules. Whoever serves
 * others gives them these, so that what is live, what is replayed and what is fetched go the same way.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { check, denied } from "../access/denied.ts"
import type { Permissions } from "../access/Permissions.ts"
import { AccessDenied } from "../domain/errors.ts"
import type { ReadError, Topics } from "./Topics.ts"

const verbs = ["publish", "subscribe", "delete"] as const

/** The topics as a principal may use them; as they are where it may do everything. */
export const guarded = (topics: Topics["Service"], permissions: Permissions): Topics["Service"] => {
  if (verbs.every(permissions.allowsAll)) return topics
  const { allows, principal } = permissions

  const whenRead = <A, E, R>(filter: string, effect: Effect.Effect<A, E, R>) =>
    Effect.andThen(check(permissions, "subscribe", filter), effect)

  /** A named cursor goes with what it was made for: who may not read that may not move it. */
  const checkCursor = (name: string): Effect.Effect<void, AccessDenied | ReadError> => {
    if (permissions.allowsAll("subscribe")) return Effect.void
    return Effect.flatMap(topics.cursors, (cursors) => {
      const found = cursors.find((cursor) => cursor.name === name)
      const isAllowed = found === undefined ? permissions.allowsSome("subscribe") : allows("subscribe", found.topics)
      return isAllowed ? Effect.void : Effect.fail(cursorDenied(principal, name))
    })
  }

  const whenHeld = <A, E, R>(name: string, filter: string, effect: Effect.Effect<A, E, R>) =>
    Effect.andThen(whenRead(filter, checkCursor(name)), effect)

  return {
    publish: (topic, payload, options) =>
      allows("publish", topic)
        ? topics.publish(topic, payload, options)
        : Effect.fail(denied(principal, "publish", topic)),

    publishAll: (drafts) => {
      const refused = drafts.find(({ topic }) => !allows("publish", topic))
      return refused === undefined
        ? topics.publishAll(drafts)
        : Effect.fail(denied(principal, "publish", refused.topic))
    },

    fetch: (topic, options) => whenRead(topic, topics.fetch(topic, options)),

    head: (topic, origin) => whenRead(topic, topics.head(topic, origin)),

    heads: Effect.map(topics.heads, (heads) => heads.filter(({ topic }) => allows("subscribe", topic))),

    deleteRange: (topic, from, to) =>
      Effect.andThen(check(permissions, "delete", topic), topics.deleteRange(topic, from, to)),

    subscribe: (filter, options) =>
      allows("subscribe", filter)
        ? topics.subscribe(filter, options)
        : Stream.fail(denied(principal, "subscribe", filter)),

    consume: (name, filter, handler, options) => whenHeld(name, filter, topics.consume(name, filter, handler, options)),

    consumeChunks: (name, filter, handler, options) =>
      whenHeld(name, filter, topics.consumeChunks(name, filter, handler, options)),

    holdCursor: (name, filter, options) => whenHeld(name, filter, topics.holdCursor(name, filter, options)),

    cursors: Effect.map(topics.cursors, (cursors) => cursors.filter((cursor) => allows("subscribe", cursor.topics))),

    resetCursor: (name, to) => Effect.andThen(checkCursor(name), topics.resetCursor(name, to)),

    deleteCursor: (name) => Effect.andThen(checkCursor(name), topics.deleteCursor(name)),

    cursor: Effect.suspend(() =>
      permissions.allowsSome("subscribe") ? topics.cursor : Effect.fail(journalDenied(principal)),
    ),

    // Who serves the topics, and whether they can, is told to everybody.
    info: topics.info,
    check: topics.check,
  }
}

/** What a cursor was made for is not told to who may not read it. */
const cursorDenied = (principal: string, name: string): AccessDenied =>
  new AccessDenied({
    verb: "subscribe",
    object: name,
    principal,
    message: `access rules do not let ${principal} read what the cursor ${JSON.stringify(name)} was made for`,
  })

const journalDenied = (principal: string): AccessDenied =>
  new AccessDenied({
    verb: "subscribe",
    object: "",
    principal,
    message: `access rules do not let ${principal} read anything`,
  })
