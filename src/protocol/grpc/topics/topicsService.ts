/**
 * `millrace.v1.TopicsService` over the service `Topics`: the same operations, in batches.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Cursor } from "../../../domain/Cursor.ts"
import type { NodeId } from "../../../domain/NodeId.ts"
import type { SubscribeOptions, Topics } from "../../../topics/Topics.ts"
import type { Admission } from "../server/Admission.ts"
import * as codec from "../codec/codec.ts"
import { messageBatches } from "../codec/messageBatches.ts"
import { type SubscribeRequest, type SubscribeResponse, TopicsService } from "../gen/millrace/v1/topics_pb.ts"
import * as PublishSession from "./publishSession.ts"
import type { Sessions } from "../server/session.ts"

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
  readonly topics: Topics["Service"]
  readonly messageBytesMax: number
  readonly requestBytesMax: number
  /** Whose service it is. */
  readonly node: NodeId
  readonly admission: Admission
}

export const register = (sessions: Sessions, options: TopicsServiceOptions): void => {
  const { topics } = options
  const { method } = TopicsService

  const beginning = Effect.fnUntraced(function* ({ from }: SubscribeRequest) {
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

  sessions.bidirectional(method.publish, (call) => PublishSession.serve(call, { ...options, sessions }))

  sessions.serverStream(
    method.subscribe,
    { weigh, endless: true },
    Effect.fnUntraced(function* (request, outlet) {
      const origin = yield* codec.optionalNode(request.origin)
      const { from, incarnation, position } = yield* beginning(request)
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
    Effect.fnUntraced(function* (request, outlet) {
      const origin = yield* codec.optionalNode(request.origin)
      const from = request.from === undefined ? undefined : yield* codec.integer("from", request.from)
      const messages = yield* topics.fetch(request.topic, { origin, from, limit: request.limit })
      yield* outlet.send(messageBatches("fetch", messages))
    }),
  )

  sessions.unary(
    method.head,
    Effect.fnUntraced(function* ({ topic, origin }) {
      const head = yield* topics.head(topic, yield* codec.optionalNode(origin))
      return {
        $typeName: "millrace.v1.HeadResponse",
        ...(Option.isSome(head) ? { offset: BigInt(head.value) } : {}),
      } as const
    }),
  )

  sessions.unary(method.listHeads, () =>
    Effect.map(topics.heads, (heads) => ({
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
    Effect.fnUntraced(function* ({ topic, from, to }) {
      const deleted = yield* topics.deleteRange(
        topic,
        yield* codec.integer("from", from),
        yield* codec.integer("to", to),
      )
      return { $typeName: "millrace.v1.DeleteRangeResponse", deletedCount: BigInt(deleted) } as const
    }),
  )

  sessions.unary(method.cursor, () =>
    Effect.map(topics.cursor, ({ incarnation, position }) => ({
      $typeName: "millrace.v1.CursorResponse",
      cursor: { $typeName: "millrace.v1.Place", incarnation, position: BigInt(position) },
    })),
  )

  sessions.unary(method.info, () =>
    Effect.map(topics.info, ({ node, incarnation }) => ({
      $typeName: "millrace.v1.InfoResponse",
      node: codec.nodeMessage(node),
      incarnation,
    })),
  )

  sessions.unary(method.check, () => Effect.as(topics.check, { $typeName: "millrace.v1.CheckResponse" } as const))
}
