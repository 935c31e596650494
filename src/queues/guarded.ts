/**
 * Queues for one principal: the same service, and before each operation the one decision of access rules.
 */
import * as Effect from "effect/Effect"
import { check } from "../access/denied.ts"
import type { Permissions } from "../access/Permissions.ts"
import type { Queues } from "./Queues.ts"

/** The queues as a principal may use them; as they are where it may use all. */
export const guarded = (queues: Queues["Service"], permissions: Permissions): Queues["Service"] => {
  if (permissions.allowsAll("queue")) return queues
  const when = <A, E, R>(queue: string, effect: Effect.Effect<A, E, R>) =>
    Effect.andThen(check(permissions, "queue", queue), effect)

  return {
    enqueue: (queue, payload, options) => when(queue, queues.enqueue(queue, payload, options)),
    peek: (queue) => when(queue, queues.peek(queue)),
    items: (queue, options) => when(queue, queues.items(queue, options)),
    ack: (queue, id) => when(queue, queues.ack(queue, id)),
    reject: (queue, id, options) => when(queue, queues.reject(queue, id, options)),
    redrive: (queue, itemsMax) => when(queue, queues.redrive(queue, itemsMax)),
    take: (queue, handler, options) => when(queue, queues.take(queue, handler, options)),
    queues: Effect.map(queues.queues, (states) => states.filter(({ queue }) => permissions.allows("queue", queue))),
  }
}
