/**
 * The node's side of one `Consume` stream: holds a cursor, sends what is to be handled, is told what was. When the stream
 * ends, however it does, what was handled is committed, and the cursor is free again.
 */
import type { ServerDuplexStream } from "@grpc/grpc-js"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { HeldCursor, Topics } from "../../../topics/Topics.ts"
import * as cursorCodec from "./cursorCodec.ts"
import { type ServedError, toStatus } from "../codec/errorCodec.ts"
import type {
  ConsumeRequest,
  ConsumeRequestSchema,
  ConsumeResponse,
  ConsumeResponseSchema,
  ConsumeStart,
} from "../gen/millrace/v1/cursors_pb.ts"
import { messageBatches } from "../codec/messageBatches.ts"
import { type EndCall, type Received, type Sessions, unreadable } from "../server/session.ts"
import { Window } from "./Window.ts"
import { type Answer, malformed } from "../codec/wire.ts"

export interface ConsumeSessionOptions {
  readonly topics: Topics["Service"]
  readonly sessions: Sessions
}

const event = (event: ConsumeResponse["event"]): ConsumeResponse => ({
  $typeName: "millrace.v1.ConsumeResponse",
  event,
})

const live = event({ case: "live", value: { $typeName: "millrace.v1.SubscribeLive" } })

/** Serves a stream; gives what closes it. */
export const serve = (
  call: ServerDuplexStream<Received<typeof ConsumeRequestSchema>, Answer<typeof ConsumeResponseSchema>>,
  { sessions, topics }: ConsumeSessionOptions,
): EndCall => {
  const window = new Window()
  let consuming: Fiber.Fiber<unknown, unknown> | undefined
  let held: HeldCursor | undefined
  let failure: ServedError | undefined
  let hasEnded = false

  /** The last word, when the cursor is free again. */
  const finish = (): void => {
    if (call.cancelled) return
    if (failure === undefined) call.end()
    else call.emit("error", toStatus(failure))
  }

  const end = (reason?: ServedError): void => {
    if (hasEnded) return
    hasEnded = true
    failure = reason
    if (consuming === undefined) finish()
    else consuming.interruptUnsafe()
  }

  const consume = Effect.fnUntraced(function* (start: ConsumeStart) {
    const options = yield* cursorCodec.holdOptions(start)
    const onLive = Effect.sync(() => void call.write(live))
    const cursor = yield* topics.holdCursor(start.cursor, start.filter, { ...options, onLive })
    held = cursor
    call.write(
      event({
        case: "begin",
        value: {
          $typeName: "millrace.v1.ConsumeBegin",
          place: cursorCodec.place(cursor.incarnation, BigInt(cursor.position)),
          epoch: BigInt(cursor.epoch),
        },
      }),
    )
    const sending = Stream.runForEachArray(cursor.messages, (messages) =>
      Effect.forEach(
        messageBatches("subscribe", messages),
        (batch) =>
          Effect.map(window.room, () => {
            window.add(BigInt(batch.position), batch.bytes)
            call.write(batch)
          }),
        { discard: true },
      ),
    )
    return yield* Effect.raceFirst(sending, cursor.lost)
  }, Effect.scoped)

  const start = (request: ConsumeStart): void => {
    consuming = sessions.run(consume(request), (exit) => {
      hasEnded = true
      const error = Exit.isFailure(exit) ? Cause.findErrorOption(exit.cause) : Option.none()
      failure ??= Option.getOrUndefined(error)
      finish()
    })
  }

  const settle = (held: HeldCursor, number: bigint): void => {
    sessions.run(held.settled, (exit) => {
      if (Exit.isSuccess(exit)) {
        if (!call.cancelled && !call.writableEnded) {
          call.write(event({ case: "settled", value: { $typeName: "millrace.v1.ConsumeSettled", number } }))
        }
        return
      }
      const error = Cause.findErrorOption(exit.cause)
      if (Option.isSome(error)) end(error.value)
    })
  }

  const receive = ({ step }: ConsumeRequest): void => {
    if (step.case === "start") return consuming === undefined ? start(step.value) : end(unreadable)
    if (step.case === undefined || held === undefined) return end(unreadable)
    if (step.case === "settle") return settle(held, step.value.number)
    held.handled(Number(step.value.position))
    window.handled(step.value.position)
  }

  call.on("data", (request: Received<typeof ConsumeRequestSchema>) => {
    if (hasEnded) return
    if (request === malformed) end(unreadable)
    else receive(request)
  })
  call.on("end", () => end())
  call.on("cancelled", () => end())
  return (reason) => end(reason)
}
