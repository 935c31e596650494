/**
 * The client's side of a taker: it outlives its connections. The node hands out items ahead; they are done one after the
 * other, and what became of each is told without waiting for the answer.
 *
 * What was told on a connection that was lost may have been lost with it, and is handed out again then: what has
 * succeeded here is told again, and not done again. Only where this process ends is it done twice.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type ClientDuplexStream, type ServiceError, status } from "@grpc/grpc-js"
import type { QueueItem } from "../../../domain/QueueItem.ts"
import { DoneItems } from "../../../queues/DoneItems.ts"
import type { TakeOptions } from "../../../queues/Queues.ts"
import { backoffDefault, reasonOf } from "../../../queues/taking.ts"
import type { Connection } from "../client/connection.ts"
import { type BusError, fromStatus } from "../codec/errorCodec.ts"
import { QueuesService, type TakeRequest, type TakeResponse } from "../gen/millrace/v1/queues_pb.ts"
import { nextOf } from "../client/nextAnswer.ts"
import * as queueCodec from "./queueCodec.ts"
import { Reconnecting, type ReconnectOptions } from "../client/reconnecting.ts"

/** Items, and about how many bytes of them, that the node may send before they are answered. */
const aheadItems = 256
const aheadBytes = 1024 * 1024

/** How long the node may take to confirm what was told when a taker ends. */
const farewell = "2 seconds"

const waitMillisMax = 0xff_ff_ff_ff

type Call = ClientDuplexStream<TakeRequest, TakeResponse>

const tell = (call: Call, step: TakeRequest["step"]): void => {
  // A call that has ended takes nothing more.
  if (!call.writableEnded && !call.destroyed) call.write({ $typeName: "millrace.v1.TakeRequest", step })
}

/** Ends a call; what was told on it is in effect then, if the node is still there to say so. */
const leave = (call: Call, hasEnded: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (hasEnded()) return Effect.void
    const ended = Effect.callback<void>((resume) => {
      call.on("status", () => resume(Effect.void))
      // What is still handed out has to be read for the end to come.
      const drain = (): void => {
        while (call.read() !== null) continue
      }
      call.on("readable", drain)
      drain()
      call.end()
    })
    return Effect.andThen(
      Effect.timeoutOption(ended, farewell),
      Effect.sync(() => call.cancel()),
    )
  })

/** Takes a queue of the node for as long as it runs. */
export const take = <E, R>(
  connection: Connection,
  reconnectOptions: ReconnectOptions,
  queue: string,
  handler: (item: QueueItem) => Effect.Effect<unknown, E, R>,
  { attemptsMax, backoff = backoffDefault, onTaken = Effect.void }: TakeOptions & { readonly attemptsMax: number },
): Effect.Effect<never, BusError, R> => {
  const done = new DoneItems()
  const reconnecting = new Reconnecting(connection.url, "taker", reconnectOptions)
  let hasBegun = false

  /** What a call that has ended means. */
  const lost = (failure: ServiceError | undefined, isProven: boolean): Effect.Effect<void, BusError> => {
    const word = failure === undefined ? undefined : fromStatus(failure)
    // Our own place may still be held for us, where the node has not noticed yet that the connection is gone.
    if (hasBegun && failure !== undefined && word?._tag === "QueueTaken") {
      return reconnecting.lost(Object.assign(failure, { code: status.UNAVAILABLE }), isProven)
    }
    return word === undefined || word._tag === "Unavailable" ? reconnecting.lost(failure, isProven) : Effect.fail(word)
  }

  /** Takes until the call ends, which it tells, and until then whatever comes. */
  const session = Effect.scoped(
    Effect.gen(function* () {
      const { call, isProven } = connection.openBidirectional(QueuesService.method.take)
      let hasEnded = false
      call.on("status", () => {
        hasEnded = true
      })
      const next = nextOf(call)
      yield* Effect.addFinalizer(() => leave(call, () => hasEnded))
      tell(call, {
        case: "start",
        value: {
          $typeName: "millrace.v1.TakeStart",
          queue,
          attemptsMax,
          aheadItems,
          aheadBytes: BigInt(aheadBytes),
        },
      })
      /** Items of earlier rounds come again. */
      let roundMin = 0
      while (true) {
        const step = yield* next
        if ("failure" in step) return { failure: step.failure, isProven }
        const { event } = step.answer
        if (event.case === "begin") {
          yield* reconnecting.begun
          if (!hasBegun) yield* onTaken
          hasBegun = true
        }
        if (event.case !== "item" || event.value.item === undefined || event.value.round < roundMin) continue
        const { round } = event.value
        const item = queueCodec.item(event.value.item)
        const sequence = BigInt(item.sequence)
        const exit = done.has(item.id) ? Exit.void : yield* Effect.exit(handler(item))
        if (Exit.isSuccess(exit)) {
          done.add(item.id)
          tell(call, { case: "done", value: { $typeName: "millrace.v1.TakeDone", sequence } })
          continue
        }
        if (Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.interrupt
        roundMin = round + 1
        const wait = Duration.toMillis(backoff(item.attempts + 1))
        const waitMs = Math.min(Math.max(Math.ceil(wait), 0), waitMillisMax)
        const reason = reasonOf(exit.cause)
        tell(call, { case: "failed", value: { $typeName: "millrace.v1.TakeFailed", reason, waitMs, sequence } })
      }
    }),
  )

  return Effect.forever(Effect.flatMap(session, ({ failure, isProven }) => lost(failure, isProven)))
}
