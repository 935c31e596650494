/**
 * The client: the service `Queues` of a node elsewhere, with the promises it has in process.
 *
 * A taker whose connection is lost fails with `Unavailable`: repeat it with a schedule where it shall come back. What it
 * had in hand is handed out again.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type { ServiceError } from "@grpc/grpc-js"
import { InvalidArgument, Unavailable } from "../../domain/errors.ts"
import * as Message from "../../domain/Message.ts"
import type { QueueItem } from "../../domain/QueueItem.ts"
import { backoffDefault, attemptsMaxDefault, reasonOf } from "../../queues/taking.ts"
import { Queues, type TakeOptions } from "../../queues/Queues.ts"
import { traced } from "../../queues/tracing.ts"
import { only } from "./answers.ts"
import * as codec from "./codec.ts"
import * as Connection from "./connection.ts"
import { type BusError, fromStatus } from "./errorCodec.ts"
import { QueuesService, type TakeRequest } from "./gen/millrace/v1/queues_pb.ts"
import * as queueCodec from "./queueCodec.ts"

export interface GrpcQueuesOptions {
  /** `grpc://HOST:PORT` */
  readonly url: string
  /** How long an operation may wait for its answer; by default 30 seconds. */
  readonly timeout?: Duration.Input | undefined
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

const step = (step: TakeRequest["step"]): TakeRequest => ({ $typeName: "millrace.v1.TakeRequest", step })

/** The queues of the node at a URL. Fails with `InvalidArgument` where the URL is none of ours. */
export const layerQueues = (options: GrpcQueuesOptions): Layer.Layer<Queues, InvalidArgument> =>
  Layer.effect(
    Queues,
    Effect.gen(function* () {
      const { method } = QueuesService
      const connection = yield* Connection.make({
        url: options.url,
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

      /** A stream that takes a queue: the items as they are handed out, and what tells the node what became of them. */
      const openTake = Effect.fnUntraced(function* (queue: string, attemptsMax: number) {
        const handedOut = yield* Queue.unbounded<QueueItem, BusError>()
        const call = yield* Effect.acquireRelease(
          Effect.sync(() => connection.openBidirectional(method.take).call),
          (call) => Effect.sync(() => call.cancel()),
        )
        const lost = (failure: ServiceError) => new Unavailable({ message: Connection.noAnswer(options.url, failure) })
        call.on("data", ({ item }) => {
          if (item !== undefined) Queue.offerUnsafe(handedOut, queueCodec.item(item))
        })
        call.on("error", (failure: ServiceError) => {
          Queue.failCauseUnsafe(handedOut, Cause.fail(fromStatus(failure) ?? lost(failure)))
        })
        call.write(step({ case: "start", value: { $typeName: "millrace.v1.TakeStart", queue, attemptsMax } }))
        return { next: Queue.take(handedOut), tell: (request: TakeRequest) => Effect.sync(() => call.write(request)) }
      })

      const take = <E, R>(
        queue: string,
        handler: (item: QueueItem) => Effect.Effect<unknown, E, R>,
        { attemptsMax = attemptsMaxDefault, backoff = backoffDefault }: TakeOptions,
      ) =>
        Effect.gen(function* () {
          const { next, tell } = yield* openTake(queue, yield* uint32("attemptsMax", attemptsMax, 1))
          while (true) {
            const item = yield* takingFrom(next)
            const exit = yield* Effect.exit(handler(item))
            if (Exit.isSuccess(exit)) {
              yield* tell(step({ case: "done", value: { $typeName: "millrace.v1.TakeDone" } }))
              continue
            }
            if (Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.interrupt
            const wait = Duration.toMillis(backoff(item.attempts + 1))
            const waitMs = Math.min(Math.max(Math.ceil(wait), 0), uint32Max)
            const reason = reasonOf(exit.cause)
            yield* tell(step({ case: "failed", value: { $typeName: "millrace.v1.TakeFailed", reason, waitMs } }))
          }
        })

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

        take: (queue, handler, options = {}) => Effect.scoped(take(queue, handler, options)),

        queues: Effect.map(
          listing(connection.read(method.listQueues, { $typeName: "millrace.v1.ListQueuesRequest" })),
          ({ queues }) => queues.map(queueCodec.state),
        ),
      })
      return traced(queues, yield* Effect.context())
    }),
  )
