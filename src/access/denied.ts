/**
 * What is told to who may not do something.
 */
import * as Effect from "effect/Effect"
import { AccessDenied } from "../domain/errors.ts"
import type { Permissions } from "./Permissions.ts"
import type { Verb } from "./Verb.ts"

const sentences: Readonly<Record<Verb, string>> = {
  send: "send to",
  broadcast: "broadcast to",
  publish: "publish to",
  subscribe: "read",
  delete: "delete from",
  queue: "use the queue",
  sync: "sync",
  admin: "ask for",
}

export const denied = (principal: string, verb: Verb, object: string): AccessDenied =>
  new AccessDenied({
    verb,
    object,
    principal,
    message: `access rules do not let ${principal} ${sentences[verb]} ${JSON.stringify(object)}`,
  })

/** The one decision, for who goes on only where it is positive. */
export const check = (permissions: Permissions, verb: Verb, object: string): Effect.Effect<void, AccessDenied> =>
  permissions.allows(verb, object) ? Effect.void : Effect.fail(denied(permissions.principal, verb, object))
