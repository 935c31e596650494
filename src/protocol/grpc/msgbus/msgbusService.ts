/**
 * `msgbus.v1.MsgbusService` over the service `Topics`: one log at a time, exact for the clients and peers that speak it.
 *
 * An absent or all-empty origin is the node itself; writing with any other is PERMISSION_DENIED. A topic is a name and
 * never a filter. Queues are beside it, in `msgbusQueues`.
 */
import { status } from "@grpc/grpc-js"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { check } from "../../../access/denied.ts"
import { InvalidArgument, NotPermitted } from "../../../domain/errors.ts"
import { contentBytes, type Message } from "../../../domain/Message.ts"
import * as NodeId from "../../../domain/NodeId.ts"
import * as Topic from "../../../domain/Topic.ts"
import type { Replication } from "../../../replication/index.ts"
import type { Topics } from "../../../topics/Topics.ts"
import type { Admission } from "../server/Admission.ts"
import * as codec from "../codec/codec.ts"
import { statusCode, type ServedError } from "../codec/errorCodec.ts"
import {
  type ListPeerSyncStatesResponse,
  type MessageEnvelope,
  MsgbusService,
  type NodeId as NodeMessage,
} from "../gen/msgbus/v1/msgbus_pb.ts"
import type { ForCaller, Sessions } from "../server/session.ts"
import { peerSyncStates } from "./peerSyncStates.ts"

/** Messages that a Fetch gives at most, and where it asks for no number. */
const fetchLimitMax = 10_000
const fetchLimitDefault = 100

/** Clients open a subscription again on UNAVAILABLE, and only then. */
const subscriptionCode = (error: ServedError): status =>
  error._tag === "StorageFailed" || error._tag === "OutcomeUnknown" ? status.UNAVAILABLE : statusCode(error)

const envelopeWeight = ({ message }: { readonly message?: MessageEnvelope | undefined }): number =>
  message === undefined ? 64 : codec.envelopeBytes(message)

const checkTopic = (topic: string): Effect.Effect<void, InvalidArgument> => {
  const wrong = Topic.problem(topic)
  return wrong === undefined ? Effect.void : Effect.fail(new InvalidArgument({ argument: "topic", message: wrong }))
}

export interface MsgbusServiceOptions {
  readonly topicsOf: ForCaller<Topics["Service"]>
  /** Whose service it is. */
  readonly node: NodeId.NodeId
  readonly admission: Admission
  /** How the node stands with its peers. */
  readonly replication: Pick<Replication["Service"], "peers" | "states">
}

export const register = (
  sessions: Sessions,
  { topicsOf, node, admission, replication }: MsgbusServiceOptions,
): void => {
  const { method } = MsgbusService

  /** Whose log is meant: by default the node's own. */
  const originOf = (origin: NodeMessage | undefined): Effect.Effect<NodeId.NodeId, InvalidArgument> =>
    Effect.map(codec.msgbusNamed("origin", origin), (named) => named ?? node)

  const checkWrite = (
    operation: string,
    origin: NodeMessage | undefined,
    topic: string,
  ): Effect.Effect<void, InvalidArgument | NotPermitted> =>
    Effect.flatMap(originOf(origin), (named): Effect.Effect<void, InvalidArgument | NotPermitted> => {
      if (NodeId.equals(named, node)) return checkTopic(topic)
      const message = `${NodeId.format(node)} does not ${operation} messages of ${NodeId.format(named)}: only a log's own node writes to it`
      return Effect.fail(new NotPermitted({ message }))
    })

  sessions.unary(
    method.publish,
    Effect.fnUntraced(function* ({ topic, origin, payload, headers }, { permissions, remainingMillis }) {
      yield* checkWrite("publish", origin, topic)
      const bytes = contentBytes(topic, payload, headers)
      const publish = topicsOf(permissions).publish(topic, payload, { headers })
      const message = yield* admission.within(bytes, remainingMillis(), publish)
      return { $typeName: "msgbus.v1.PublishResponse", message: codec.envelope(message) } as const
    }),
  )

  sessions.serverStream(
    method.fetch,
    { weigh: envelopeWeight, endless: false },
    Effect.fnUntraced(function* (request, outlet, permissions) {
      const { topic } = request
      const topics = topicsOf(permissions)
      const origin = yield* originOf(request.origin)
      yield* checkTopic(topic)
      const first = (yield* codec.integer("from_head_id", request.fromHeadId)) || 1
      const limit = Math.min(request.limit || fetchLimitDefault, fetchLimitMax)
      const head = Option.getOrElse(yield* topics.head(topic, origin), () => 0)
      let next = first
      let left = Math.min(limit, head - first + 1)
      while (left > 0) {
        const page: ReadonlyArray<Message> = yield* topics.fetch(topic, { origin, from: next, limit: left })
        if (page.length === 0) return
        yield* outlet.send(
          page.map((message) => ({ $typeName: "msgbus.v1.FetchResponse", message: codec.envelope(message) })),
        )
        next += page.length
        left -= page.length
      }
    }),
  )

  sessions.serverStream(
    method.subscribe,
    { weigh: envelopeWeight, endless: true, codeOf: subscriptionCode },
    Effect.fnUntraced(function* ({ topic, origin, fromHeadId }, outlet, permissions) {
      const named = yield* originOf(origin)
      yield* checkTopic(topic)
      const from = (yield* codec.integer("from_head_id", fromHeadId)) || 1
      yield* Stream.runForEachArray(topicsOf(permissions).subscribe(topic, { origin: named, from }), (messages) =>
        outlet.send(
          messages.map((message) => ({ $typeName: "msgbus.v1.SubscribeResponse", message: codec.envelope(message) })),
        ),
      )
    }),
  )

  sessions.unary(
    method.getHead,
    Effect.fnUntraced(function* ({ topic, origin }, { permissions }) {
      const named = yield* originOf(origin)
      yield* checkTopic(topic)
      const head = yield* topicsOf(permissions).head(topic, named)
      return {
        $typeName: "msgbus.v1.GetHeadResponse",
        headId: BigInt(Option.getOrElse(head, () => 0)),
        found: Option.isSome(head),
      } as const
    }),
  )

  sessions.unary(method.listHeads, (_, { permissions }) =>
    Effect.map(topicsOf(permissions).heads, (heads) => ({
      $typeName: "msgbus.v1.ListHeadsResponse",
      heads: heads.map(({ topic, origin, offset }) => ({
        $typeName: "msgbus.v1.TopicHead",
        topic,
        origin: codec.msgbusNode(origin),
        headId: BigInt(offset),
      })),
    })),
  )

  sessions.unary(method.listPeerSyncStates, (_, { permissions }) =>
    Effect.andThen(
      check(permissions, "admin", "peers"),
      Effect.zipWith(replication.peers, replication.states, (peers, states): ListPeerSyncStatesResponse => ({
        $typeName: "msgbus.v1.ListPeerSyncStatesResponse",
        states: peerSyncStates(peers, states),
      })),
    ),
  )

  sessions.unary(
    method.deleteRange,
    Effect.fnUntraced(function* ({ topic, origin, fromHeadId, toHeadId }, { permissions }) {
      yield* checkWrite("delete", origin, topic)
      const from = yield* codec.integer("from_head_id", fromHeadId)
      const to = yield* codec.integer("to_head_id", toHeadId)
      const deleted = yield* topicsOf(permissions).deleteRange(topic, from, to)
      return { $typeName: "msgbus.v1.DeleteRangeResponse", deletedCount: BigInt(deleted) } as const
    }),
  )

  // Whether there is a node, and whether it is ready, everybody may ask.
  sessions.unary(
    method.health,
    () =>
      Effect.succeed({
        $typeName: "msgbus.v1.HealthResponse",
        status: "SERVING",
        node: codec.msgbusNode(node),
      } as const),
    { isOpen: true },
  )

  sessions.unary(
    method.ready,
    (_, { permissions }) =>
      Effect.match(topicsOf(permissions).check, {
        onSuccess: () =>
          ({
            $typeName: "msgbus.v1.ReadyResponse",
            ready: true,
            status: "READY",
            error: "",
            node: codec.msgbusNode(node),
          }) as const,
        onFailure: (error) =>
          ({
            $typeName: "msgbus.v1.ReadyResponse",
            ready: false,
            status: "NOT_READY",
            error: error.message,
            node: codec.msgbusNode(node),
          }) as const,
      }),
    { isOpen: true },
  )
}
