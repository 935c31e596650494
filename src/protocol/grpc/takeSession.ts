/**
 * The node's side of one `Take` stream: hands out an item, waits for what became of it, and so on. When the stream ends,
 * however it does, the item that was handed out stays as it was, and the queue is free again.
 */
import type { ServerDuplexStream } from "@grpc/grpc-js"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import type { Queues } from "../../queues/Queues.ts"
import { toStatus } from "./errorCodec.ts"
import type { TakeRequest, TakeRequestSchema, TakeResponse, TakeStart } from "./gen/millrace/v1/queues_pb.ts"
import { itemMessage } from "./queueCodec.ts"
import { closing, type Received, type Sessions, unreadable } from "./session.ts"
import { malformed } from "./wire.ts"

export interface TakeSessionOptions {
  readonly queues: Queues["Service"]
  readonly sessions: Sessions
}

/** Serves a stream; gives what closes it. */
export const serve = (
  call: ServerDuplexStream<Received<typeof TakeRequestSchema>, TakeResponse>,
  { queues, sessions }: TakeSessionOptions,
): (() => void) => {
  let taking: Fiber.Fiber<unknown, unknown> | undefined
  /** Set while an item is out: says what became of it. */
  let settle: ((result: Effect.Effect<void, string>) => void) | undefined
  let waitMillis = 0
  let hasEnded = false

  const end = (failure?: Parameters<typeof toStatus>[0]): void => {
    if (hasEnded) return
    hasEnded = true
    taking?.interruptUnsafe()
    if (call.cancelled) return
    if (failure === undefined) call.end()
    else call.emit("error", toStatus(failure))
  }

  const start = ({ attemptsMax, queue }: TakeStart): void => {
    const take = queues.take(
      queue,
      (item) =>
        Effect.callback<void, string>((resume) => {
          settle = resume
          call.write({ $typeName: "millrace.v1.TakeResponse", item: itemMessage(item) })
        }),
      { attemptsMax, backoff: () => waitMillis },
    )
    taking = sessions.run(take, (exit) => {
      if (Exit.isFailure(exit)) {
        const error = Cause.findErrorOption(exit.cause)
        if (Option.isSome(error)) end(error.value)
      }
    })
  }

  const told = (result: Effect.Effect<void, string>): void => {
    const tell = settle
    settle = undefined
    if (tell === undefined) end(unreadable)
    else tell(result)
  }

  const receive = ({ step }: TakeRequest): void => {
    switch (step.case) {
      case "start":
        return taking === undefined ? start(step.value) : end(unreadable)
      case "done":
        return told(Effect.void)
      case "failed":
        waitMillis = step.value.waitMs
        return told(Effect.fail(step.value.reason))
      case undefined:
        return end(unreadable)
    }
  }

  call.on("data", (request: Received<typeof TakeRequestSchema>) => {
    if (hasEnded) return
    if (request === malformed) end(unreadable)
    else receive(request)
  })
  call.on("end", () => end())
  call.on("cancelled", () => end())
  return () => end(closing)
}
