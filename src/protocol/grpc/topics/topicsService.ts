/**
 * `millrace.v1.TopicsService` over the service `Topics`: the same operations, in batches.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { check } from "../../../access/denied.ts"
import type { Cursor } from "../../../domain/Cursor.ts"
import type { NodeId } from "../../../domain/NodeId.ts"
import type { SubscribeOptions, Topics } from "../../../topics/Topics.ts"
import type { Admission } from "../server/Admission.ts"
import * as codec from "../codec/codec.ts"
import { messageBatches } from "../codec/messageBatches.ts"
import { type SubscribeRequest, type SubscribeResponse, TopicsService } from "../gen/millrace/v1/topics_pb.ts"
import * as PublishSession from "./publishSession.ts"
import type { ForCaller, Sessions } from "../server/session.ts"

/** About how many bytes an answer takes that is no batch. */
const weigh = (): number => 64

/** Where a subscription begins: what to ask of `Topics`, and what to tell the subscriber. */
interface Beginning {
  readonly from: Exclude<SubscribeOptions["from"], undefined>
  readonly incarnation: string
  readonly position: number | undefined
}

const event = (event: SubscribeResponse["event"]): SubscribeResponse => ({
  $typeName: "millrace.v1.SubscribeResponse",
  event,
})

const live = event({ case: "live", value: { $typeName: "millrace.v1.SubscribeLive" } })

export interface TopicsServiceOptions {
  readonly topicsOf: ForCaller<Topics["Service"]>
  readonly messageBytesMax: number
  readonly requestBytesMax: number
  /** Whose service it is. */
  readonly node: NodeId
  readonly admission: Admission
}

export const register = (sessions: Sessions, options: TopicsServiceOptions): void => {
  const { topicsOf } = options
  const { method } = TopicsService

  const beginning = Effect.fnUntraced(function* ({ from }: SubscribeRequest, topics: Topics["Service"]) {
    const { incarnation } = yield* topics.info
    switch (from.case) {
      case "start":
        return { from: "start", incarnation, position: 0 } satisfies Beginning
      case "offset":
        return {
          from: yield* codec.integer("offset", from.value),
          incarnation,
          position: undefined,
        } satisfies Beginning
      case "cursor": {
        const position = yield* codec.integer("cursor", from.value.position)
        const cursor: Cursor = { incarnation: from.value.incarnation, position }
        return { from: cursor, incarnation, position } satisfies Beginning
      }
      default: {
        // "end" as a cursor: the subscriber must learn which end it was, or it could not come back to it.
        const cursor = yield* topics.cursor
        return { from: cursor, incarnation: cursor.incarnation, position: cursor.position } satisfies Beginning
      }
    }
  })

  sessions.bidirectional(method.publish, (call, permissions) =>
    PublishSession.serve(call, { ...options, topics: topicsOf(permissions), sessions }),
  )

  sessions.serverStream(
    method.subscribe,
    { weigh, endless: true },
    Effect.fnUntraced(function* (request, outlet, permissions) {
      const topics = topicsOf(permissions)
      // Nothing is said, not even where the journal is, before it is known that there is something to read.
      yield* check(permissions, "subscribe", request.filter)
      const origin = yield* codec.optionalNode(request.origin)
      const { from, incarnation, position } = yield* beginning(request, topics)
      yield* outlet.send([
        event({
          case: "begin",
          value: {
            $typeName: "millrace.v1.SubscribeBegin",
            incarnation,
            ...(position === undefined ? {} : { position: BigInt(position) }),
          },
        }),
      ])
      const messages = topics.subscribe(request.filter, { origin, from, onLive: outlet.send([live]), areLent: true })
      yield* Stream.runForEachArray(messages, (chunk) =>
        Effect.andThen(outlet.send(messageBatches("subscribe", chunk)), outlet.encoded),
      )
    }),
  )

  sessions.serverStream(
    method.fetch,
    { weigh, endless: false },
    Effect.fnUntraced(function* (request, outlet, permissions) {
      const origin = yield* codec.optionalNode(request.origin)
      const from = request.from === undefined ? undefined : yield* codec.integer("from", request.from)
      const messages = yield* topicsOf(permissions).fetch(request.topic, { origin, from, limit: request.limit })
      yield* outlet.send(messageBatches("fetch", messages))
    }),
  )

  sessions.unary(
    method.head,
    Effect.fnUntraced(function* ({ topic, origin }, { permissions }) {
      const head = yield* topicsOf(permissions).head(topic, yield* codec.optionalNode(origin))
      return {
        $typeName: "millrace.v1.HeadResponse",
        ...(Option.isSome(head) ? { offset: BigInt(head.value) } : {}),
      } as const
    }),
  )

  sessions.unary(method.listHeads, (_, { permissions }) =>
    Effect.map(topicsOf(permissions).heads, (heads) => ({
      $typeName: "millrace.v1.ListHeadsResponse",
      heads: heads.map(({ topic, origin, offset }) => ({
        $typeName: "millrace.v1.LogHead",
        log: { $typeName: "millrace.v1.Log", topic, origin: codec.nodeMessage(origin) },
        offset: BigInt(offset),
      })),
    })),
  )

  sessions.unary(
    method.deleteRange,
    Effect.fnUntraced(function* ({ topic, from, to }, { permissions }) {
      const deleted = yield* topicsOf(permissions).deleteRange(
        topic,
        yield* codec.integer("from", from),
        yield* codec.integer("to", to),
      )
      return { $typeName: "millrace.v1.DeleteRangeResponse", deletedCount: BigInt(deleted) } as const
    }),
  )

  sessions.unary(method.cursor, (_, { permissions }) =>
    Effect.map(topicsOf(permissions).cursor, ({ incarnation, position }) => ({
      $typeName: "millrace.v1.CursorResponse",
      cursor: { $typeName: "millrace.v1.Place", incarnation, position: BigInt(position) },
    })),
  )

  // Who serves the topics, and whether they can, everybody may ask.
  sessions.unary(
    method.info,
    (_, { permissions }) =>
      Effect.map(topicsOf(permissions).info, ({ node, incarnation }) => ({
        $typeName: "millrace.v1.InfoResponse",
        node: codec.nodeMessage(node),
        incarnation,
      })),
    { isOpen: true },
  )

  sessions.unary(
    method.check,
    (_, { permissions }) => Effect.as(topicsOf(permissions).check, { $typeName: "millrace.v1.CheckResponse" } as const),
    { isOpen: true },
  )
}
