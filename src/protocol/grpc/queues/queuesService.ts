/**
 * `millrace.v1.QueuesService` over the service `Queues`.
 */
import * as Effect from "effect/Effect"
import { contentBytes } from "../../../domain/Message.ts"
import type { Queues } from "../../../queues/Queues.ts"
import type { Admission } from "../server/Admission.ts"
import * as codec from "../codec/codec.ts"
import { QueuesService } from "../gen/millrace/v1/queues_pb.ts"
import { itemMessage, stateMessage } from "./queueCodec.ts"
import type { ForCaller, Sessions } from "../server/session.ts"
import * as TakeSession from "./takeSession.ts"

export interface QueuesServiceOptions {
  readonly queuesOf: ForCaller<Queues["Service"]>
  readonly admission: Admission
}

export const register = (sessions: Sessions, { admission, queuesOf }: QueuesServiceOptions): void => {
  const { method } = QueuesService

  sessions.unary(
    method.enqueue,
    Effect.fnUntraced(function* ({ headers, payload, queue, target, topic }, { permissions, remainingMillis }) {
      const named = target === undefined ? undefined : yield* codec.node(target)
      const bytes = contentBytes(topic ?? queue, payload, headers)
      const enqueue = queuesOf(permissions).enqueue(queue, payload, { topic, headers, target: named })
      const item = itemMessage(yield* admission.within(bytes, remainingMillis(), enqueue))
      return { $typeName: "millrace.v1.EnqueueResponse", item: { ...item, payload: new Uint8Array(0) } } as const
    }),
  )

  sessions.unary(
    method.items,
    Effect.fnUntraced(function* ({ after, limit, queue }, { permissions }) {
      const options = { after: yield* codec.integer("after", after), ...(limit === 0 ? {} : { limit }) }
      const items = yield* queuesOf(permissions).items(queue, options)
      return { $typeName: "millrace.v1.ItemsResponse", items: items.map(itemMessage) } as const
    }),
  )

  sessions.unary(method.ack, ({ id, queue }, { permissions }) =>
    Effect.map(queuesOf(permissions).ack(queue, id), (accepted) => ({
      $typeName: "millrace.v1.AckResponse",
      accepted,
    })),
  )

  sessions.unary(method.reject, ({ attemptsMax, id, queue, reason }, { permissions }) =>
    Effect.map(queuesOf(permissions).reject(queue, id, { attemptsMax, reason }), (rejection) => ({
      $typeName: "millrace.v1.RejectResponse",
      ...rejection,
    })),
  )

  sessions.unary(
    method.redrive,
    Effect.fnUntraced(function* ({ itemsMax, queue }, { permissions }) {
      const max = itemsMax === undefined ? undefined : yield* codec.integer("items_max", itemsMax)
      const moved = yield* queuesOf(permissions).redrive(queue, max)
      return { $typeName: "millrace.v1.RedriveResponse", moved: BigInt(moved) } as const
    }),
  )

  sessions.unary(method.listQueues, (_, { permissions }) =>
    Effect.map(queuesOf(permissions).queues, (states) => ({
      $typeName: "millrace.v1.ListQueuesResponse",
      queues: states.map(stateMessage),
    })),
  )

  sessions.bidirectional(method.take, (call, permissions) =>
    TakeSession.serve(call, { queues: queuesOf(permissions), sessions }),
  )
}
