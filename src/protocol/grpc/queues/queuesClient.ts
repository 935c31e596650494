/**
 * The client: the service `Queues` of a node elsewhere, with the promises it has in process.
 *
 * A taker outlives the loss of its connection: it comes back and goes on, and what it had in hand is handed out again,
 * except for what it has done already.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { InvalidArgument, Unavailable } from "../../../domain/errors.ts"
import * as Message from "../../../domain/Message.ts"
import { attemptsMaxDefault } from "../../../queues/taking.ts"
import { Queues } from "../../../queues/Queues.ts"
import { traced } from "../../../queues/tracing.ts"
import { only } from "../server/answers.ts"
import * as codec from "../codec/codec.ts"
import type { Current, TlsDialOptions } from "../../../transport/tls.ts"
import * as Connection from "../client/connection.ts"
import { QueuesService } from "../gen/millrace/v1/queues_pb.ts"
import * as queueCodec from "./queueCodec.ts"
import type { ReconnectEvent } from "../client/ReconnectEvent.ts"
import type { ReconnectOptions } from "../client/reconnecting.ts"
import * as Taking from "./taking.ts"

export interface GrpcQueuesOptions {
  /** `grpc://HOST:PORT` */
  readonly url: string
  /** Shown with every call, so that the node's access rules know who calls. */
  readonly token?: Redacted.Redacted | undefined
  /** For `grpcs://`; without it those are trusted that Node trusts. */
  readonly tls?: Current<TlsDialOptions> | undefined
  /** How long an operation may wait for its answer; by default 30 seconds. */
  readonly timeout?: Duration.Input | undefined
  /** How long a taker tries to come back after its connection was lost; by default for ever. 0 for not at all. */
  readonly reconnectFor?: Duration.Input | undefined
  /** Told when the connection is lost while a taker waits for it, at each attempt, and when it is back. */
  readonly onReconnect?: ((event: ReconnectEvent) => Effect.Effect<void>) | undefined
  /**
   * After this time of silence the node is asked whether it is still there, while anything waits for it, and the
   * connection is given up where no answer comes within half of it; by default 20 seconds.
   */
  readonly keepAlive?: Duration.Input | undefined
  /** The largest answer to take from the node, in bytes; by default 64 MiB. */
  readonly maxReceiveBytes?: number | undefined
}

const uint32Max = 0xff_ff_ff_ff

/** A whole number that is at least `min`; what is larger than the wire can say is as good as its largest. */
const uint32 = (argument: string, value: number, min: number): Effect.Effect<number, InvalidArgument> =>
  Number.isSafeInteger(value) && value >= min
    ? Effect.succeed(Math.min(value, uint32Max))
    : Effect.fail(
        new InvalidArgument({ argument, message: `${argument} is a whole number from ${min} on, not ${value}` }),
      )

const writeErrors = ["InvalidArgument", "StorageFailed", "StorageFull", "OutcomeUnknown"] as const
const reading = only("InvalidArgument", "StorageFailed")
const listing = only("StorageFailed")
const writing = only(...writeErrors)
const enqueuing = only(...writeErrors, "NotPermitted", "MessageTooLarge")
const takingFrom = only(...writeErrors, "QueueTaken")

/** The queues of the node at a URL. Fails with `InvalidArgument` where the URL is none of ours. */
export const layerQueues = (options: GrpcQueuesOptions): Layer.Layer<Queues, InvalidArgument> =>
  Layer.effect(
    Queues,
    Effect.gen(function* () {
      const { method } = QueuesService
      const connection = yield* Connection.make({
        url: options.url,
        token: options.token,
        tls: options.tls,
        receiveBytesMax: options.maxReceiveBytes ?? 64 * 1024 * 1024,
        timeoutMillis: Duration.toMillis(options.timeout ?? "30 seconds"),
        keepAlive: options.keepAlive,
      })

      const items = Effect.fnUntraced(function* (queue: string, after: number, limit: number) {
        const answer = yield* reading(
          connection.read(method.items, {
            $typeName: "millrace.v1.ItemsRequest",
            queue,
            after: yield* codec.unsigned("after", after),
            limit: yield* uint32("limit", limit, 1),
          }),
        )
        return answer.items.map(queueCodec.item)
      })

      const reconnect: ReconnectOptions = {
        reconnectMillis: Duration.toMillis(options.reconnectFor ?? Duration.infinity),
        onReconnect: options.onReconnect ?? (() => Effect.void),
      }

      const queues = Queues.of({
        enqueue: Effect.fnUntraced(function* (queue, payload, options = {}) {
          const { headers, target, topic } = options
          const wrong = Message.headersProblem(headers)
          if (wrong !== undefined) return yield* new InvalidArgument({ argument: "headers", message: wrong })
          const content = typeof payload === "string" ? Buffer.from(payload) : payload
          const { item } = yield* enqueuing(
            connection.write(method.enqueue, {
              $typeName: "millrace.v1.EnqueueRequest",
              queue,
              ...(topic === undefined ? {} : { topic }),
              ...(target === undefined ? {} : { target: codec.nodeMessage(target) }),
              headers: Message.makeHeaders(headers),
              payload: content,
            }),
          )
          if (item === undefined) return yield* new Unavailable({ message: "the node answered without an item" })
          return { ...queueCodec.item(item), payload: content }
        }),

        peek: (queue) => Effect.map(items(queue, 0, 1), ([front]) => Option.fromNullishOr(front)),

        items: (queue, { after = 0, limit = 100 } = {}) => items(queue, after, limit),

        ack: (queue, id) =>
          Effect.map(
            writing(connection.write(method.ack, { $typeName: "millrace.v1.AckRequest", queue, id })),
            ({ accepted }) => accepted,
          ),

        reject: Effect.fnUntraced(function* (queue, id, { attemptsMax, reason } = {}) {
          const { accepted, attempts, isDead } = yield* writing(
            connection.write(method.reject, {
              $typeName: "millrace.v1.RejectRequest",
              queue,
              id,
              ...(attemptsMax === undefined ? {} : { attemptsMax: yield* uint32("attemptsMax", attemptsMax, 1) }),
              ...(reason === undefined ? {} : { reason }),
            }),
          )
          return { accepted, attempts, isDead }
        }),

        redrive: Effect.fnUntraced(function* (queue, itemsMax) {
          const { moved } = yield* writing(
            connection.write(method.redrive, {
              $typeName: "millrace.v1.RedriveRequest",
              queue,
              ...(itemsMax === undefined ? {} : { itemsMax: yield* codec.unsigned("itemsMax", itemsMax) }),
            }),
          )
          return Number(moved)
        }),

        take: (queue, handler, options = {}) =>
          Effect.flatMap(uint32("attemptsMax", options.attemptsMax ?? attemptsMaxDefault, 1), (attemptsMax) =>
            takingFrom(Taking.take(connection, reconnect, queue, handler, { ...options, attemptsMax })),
          ),

        queues: Effect.map(
          listing(connection.read(method.listQueues, { $typeName: "millrace.v1.ListQueuesRequest" })),
          ({ queues }) => queues.map(queueCodec.state),
        ),
      })
      return traced(queues, yield* Effect.context())
    }),
  )
