/**
 * The client's side of a subscription: a stream of messages that outlives its connections.
 *
 * It remembers the last position that it handed on and begins again after it, so that every message comes once and in
 * order whatever happens to the connection or the node. It fails at once where the node never answered, where the node
 * refuses it, and where another store answers than the one it began with.
 */
import type { ClientReadableStream, ServiceError } from "@grpc/grpc-js"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { CursorInvalid, InvalidArgument, Unavailable } from "../../../domain/errors.ts"
import { type Message, notBelow } from "../../../domain/Message.ts"
import type { SubscribeError, SubscribeOptions } from "../../../topics/Topics.ts"
import * as codec from "../codec/codec.ts"
import type { Connection } from "../client/connection.ts"
import { fromStatus } from "../codec/errorCodec.ts"
import { type SubscribeRequest, type SubscribeResponse, TopicsService } from "../gen/millrace/v1/topics_pb.ts"
import { type Next, nextOf } from "../client/nextAnswer.ts"
import { Reconnecting, type ReconnectOptions } from "../client/reconnecting.ts"

/** Where to begin, in the request's form. */
const beginning = (from: SubscribeOptions["from"]): Effect.Effect<SubscribeRequest["from"], InvalidArgument> => {
  if (from === "start") {
    return Effect.succeed({ case: "start", value: { $typeName: "millrace.v1.StartOfJournal" } })
  }
  if (from === undefined || from === "end") {
    return Effect.succeed({ case: "end", value: { $typeName: "millrace.v1.EndOfJournal" } })
  }
  if (typeof from === "number") {
    return Effect.map(codec.unsigned("from", from), (value) => ({ case: "offset", value }))
  }
  return Effect.map(codec.unsigned("cursor", from.position), (position) => ({
    case: "cursor",
    value: { $typeName: "millrace.v1.Place", incarnation: from.incarnation, position },
  }))
}

export const subscribe = (
  connection: Connection,
  reconnectOptions: ReconnectOptions,
  filter: string,
  options: SubscribeOptions,
): Stream.Stream<Message, SubscribeError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const { url } = connection
      const request: SubscribeRequest = {
        $typeName: "millrace.v1.SubscribeRequest",
        filter,
        ...(options.origin === undefined ? {} : { origin: codec.nodeMessage(options.origin) }),
        from: yield* beginning(options.from),
      }
      let incarnation: string | undefined
      let position: bigint | undefined
      const offsetMin = typeof options.from === "number" ? options.from : 1
      let isLive = false
      const reconnecting = new Reconnecting(url, "subscription", reconnectOptions)
      let call: ClientReadableStream<SubscribeResponse> | undefined
      let isProven = false
      let next: Effect.Effect<Next<SubscribeResponse>> | undefined

      yield* Effect.addFinalizer(() => Effect.sync(() => call?.cancel()))

      const open = (): Effect.Effect<Next<SubscribeResponse>> => {
        const opened = connection.openStream(
          TopicsService.method.subscribe,
          incarnation === undefined || position === undefined
            ? request
            : {
                ...request,
                from: { case: "cursor", value: { $typeName: "millrace.v1.Place", incarnation, position } },
              },
        )
        ;({ call, isProven } = opened)
        return (next = nextOf(opened.call))
      }

      /** Decides what a lost connection means: waits and goes on, or fails. */
      const lost = (failure: ServiceError | undefined): Effect.Effect<void, SubscribeError> =>
        Effect.suspend((): Effect.Effect<void, SubscribeError> => {
          next = undefined
          const word = failure === undefined ? undefined : fromStatus(failure)
          switch (word?._tag) {
            case "AccessDenied":
            case "InvalidArgument":
            case "CursorInvalid":
            case "StorageFailed":
              return Effect.fail(word)
          }
          return reconnecting.lost(failure, isProven)
        })

      const taken = (answer: SubscribeResponse): Effect.Effect<ReadonlyArray<Message>, SubscribeError> => {
        const { event } = answer
        switch (event.case) {
          case "begin": {
            const { value } = event
            if (incarnation !== undefined && incarnation !== value.incarnation) {
              return Effect.fail(
                new CursorInvalid({
                  message: `the store behind ${url} is not the one that the subscription began with: begin again from an offset or from the start`,
                }),
              )
            }
            incarnation = value.incarnation
            position ??= value.position
            return Effect.as(reconnecting.begun, [])
          }
          case "live": {
            if (isLive || options.onLive === undefined) return Effect.succeed([])
            isLive = true
            return Effect.as(options.onLive, [])
          }
          case "batch":
            position = event.value.position
            return Effect.try({
              // Where the connection was lost, the node has gone on from a position.
              try: () => notBelow(codec.messages(event.value.messages), offsetMin),
              catch: (error) =>
                new Unavailable({ message: `the node at ${url} sent what cannot be understood: ${error}` }),
            })
          case undefined:
            return Effect.succeed([])
        }
      }

      const pull: Effect.Effect<readonly [Message, ...Array<Message>], SubscribeError> = Effect.suspend(() =>
        Effect.flatMap(next ?? open(), (step) => {
          if ("failure" in step) return Effect.flatMap(lost(step.failure), () => pull)
          return Effect.flatMap(taken(step.answer), (messages) => {
            const [first, ...rest] = messages
            return first === undefined ? pull : Effect.succeed([first, ...rest] as const)
          })
        }),
      )
      return Stream.fromPull(Effect.succeed(pull))
    }),
  )
