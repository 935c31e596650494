/**
 * The queues of `msgbus.v1.MsgbusService` over the service `Queues`: enqueue, look at the front, acknowledge or reject it.
 *
 * The source is the node itself; with any other, enqueueing is PERMISSION_DENIED. A target must be named, and may be
 * all empty. What is rejected stays in front with one attempt more, however often: only our own takers put it aside.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { InvalidArgument, NotPermitted } from "../../../domain/errors.ts"
import { contentBytes } from "../../../domain/Message.ts"
import * as NodeId from "../../../domain/NodeId.ts"
import type { QueueItem } from "../../../domain/QueueItem.ts"
import type { Queues } from "../../../queues/Queues.ts"
import type { Admission } from "../server/Admission.ts"
import * as codec from "../codec/codec.ts"
import { QueueEmpty } from "../codec/errorCodec.ts"
import { type FifoMessage, MsgbusService } from "../gen/msgbus/v1/msgbus_pb.ts"
import type { ForCaller, Sessions } from "../server/session.ts"

const noNode = { tenant: "", line: "", device: "" }

const fifoMessage = (item: QueueItem): FifoMessage => ({
  $typeName: "msgbus.v1.FifoMessage",
  id: item.id,
  queue: item.queue,
  topic: item.topic,
  source: codec.msgbusNode(item.source),
  target: codec.msgbusNode(item.target ?? noNode),
  payload: item.payload,
  headers: item.headers,
  createdAtMs: BigInt(item.createdAt),
  sequence: BigInt(item.sequence),
  attempts: item.attempts,
})

export interface MsgbusQueuesOptions {
  readonly queuesOf: ForCaller<Queues["Service"]>
  /** Whose service it is. */
  readonly node: NodeId.NodeId
  readonly admission: Admission
}

export const register = (sessions: Sessions, { admission, node, queuesOf }: MsgbusQueuesOptions): void => {
  const { method } = MsgbusService

  sessions.unary(
    method.enqueueFifo,
    Effect.fnUntraced(function* ({ headers, payload, queue, source, target, topic }, { permissions, remainingMillis }) {
      const named = yield* codec.msgbusNamed("source", source)
      if (named !== undefined && !NodeId.equals(named, node)) {
        return yield* new NotPermitted({
          message: `${NodeId.format(node)} does not enqueue items of ${NodeId.format(named)}`,
        })
      }
      if (target === undefined) {
        return yield* new InvalidArgument({ argument: "target", message: "an item has a target, which may be empty" })
      }
      const options = { topic, headers, target: yield* codec.msgbusNamed("target", target) }
      const bytes = contentBytes(topic, payload, headers)
      const enqueue = queuesOf(permissions).enqueue(queue, payload, options)
      const item = yield* admission.within(bytes, remainingMillis(), enqueue)
      return { $typeName: "msgbus.v1.EnqueueFifoResponse", message: fifoMessage(item) } as const
    }),
  )

  sessions.unary(
    method.peekFifo,
    Effect.fnUntraced(function* ({ queue }, { permissions }) {
      const front = yield* queuesOf(permissions).peek(queue)
      if (Option.isNone(front)) return yield* Effect.fail(new QueueEmpty(queue))
      return { $typeName: "msgbus.v1.PeekFifoResponse", message: fifoMessage(front.value) } as const
    }),
  )

  sessions.unary(method.ackFifo, ({ messageId, queue }, { permissions }) =>
    Effect.map(queuesOf(permissions).ack(queue, messageId), (accepted) => ({
      $typeName: "msgbus.v1.AckFifoResponse",
      accepted,
    })),
  )

  sessions.unary(method.rejectFifo, ({ messageId, queue }, { permissions }) =>
    Effect.map(queuesOf(permissions).reject(queue, messageId), ({ accepted }) => ({
      $typeName: "msgbus.v1.RejectFifoResponse",
      accepted,
    })),
  )
}
