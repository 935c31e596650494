/**
 * The node's side of one `Take` stream: hands out items ahead, takes in what became of them, and passes that on in their
 * order. When the stream ends, however it does, what nobody said anything of stays as it was, and the queue is free.
 *
 * The queue's taker decides what is next: its handler waits for the client's word on one item after the other. What is
 * handed out ahead of it is only read, so that the client need not wait for each. Whenever an item is handed out again,
 * a new round begins: what is out from the one before is void.
 */
import type { ServerDuplexStream } from "@grpc/grpc-js"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { QueueItem } from "../../../domain/QueueItem.ts"
import { contentBytes } from "../../../domain/Message.ts"
import type { Queues } from "../../../queues/Queues.ts"
import { toStatus } from "../codec/errorCodec.ts"
import type { TakeRequest, TakeRequestSchema, TakeResponse, TakeStart } from "../gen/millrace/v1/queues_pb.ts"
import { itemMessage } from "./queueCodec.ts"
import { type EndCall, type Received, type Sessions, unreadable } from "../server/session.ts"
import { malformed } from "../codec/wire.ts"

export interface TakeSessionOptions {
  readonly queues: Queues["Service"]
  readonly sessions: Sessions
}

/** Items that are out at a time, at most, whatever the client wants. */
const aheadItemsMax = 1024
/** … and bytes, about; one item may be larger. */
const aheadBytesMax = 4 * 1024 * 1024

/** What became of an item; `waitMillis` is how long to wait where it failed. */
interface Answer {
  readonly result: Effect.Effect<void, string>
  readonly waitMillis: number
}

const bytesOf = ({ headers, payload, topic }: QueueItem): number => contentBytes(topic, payload, headers)

/** Serves a stream; gives what closes it. */
export const serve = (
  call: ServerDuplexStream<Received<typeof TakeRequestSchema>, TakeResponse>,
  { queues, sessions }: TakeSessionOptions,
): EndCall => {
  let queue = ""
  let aheadItems = 1
  let aheadBytes = 1
  let taking: Fiber.Fiber<unknown, unknown> | undefined
  /** The item that the queue's taker waits for the word on. */
  let current: { readonly sequence: number; readonly settle: (answer: Answer) => void } | undefined
  /** What became of items that the taker has not come to yet, by their sequences. */
  const answers = new Map<number, Answer>()
  let waitMillis = 0

  let round = 0
  /** What is out in this round and has not been passed on, with its bytes. */
  const out = new Map<number, number>()
  let outBytes = 0
  /** The last that is out in this round; none where the taker has to say which is the first. */
  let reached: number | undefined
  /** The last that ever was. */
  let sentMax = 0
  let lastBytes = 1
  let isReading = false
  /** The last look ahead found something. */
  let mayBeMore = false

  let isLeaving = false
  let hasEnded = false

  const end = (failure?: Parameters<typeof toStatus>[0]): void => {
    if (hasEnded) return
    hasEnded = true
    taking?.interruptUnsafe()
    if (call.cancelled) return
    if (failure === undefined) call.end()
    else call.emit("error", toStatus(failure))
  }

  const beginRound = (): void => {
    round += 1
    out.clear()
    outBytes = 0
    reached = undefined
  }

  const settled = (sequence: number): void => {
    answers.delete(sequence)
    outBytes -= out.get(sequence) ?? 0
    out.delete(sequence)
  }

  const send = (item: QueueItem, bytes: number): void => {
    out.set(item.sequence, bytes)
    outBytes += bytes
    lastBytes = bytes
    reached = item.sequence
    sentMax = Math.max(sentMax, reached)
    call.write({
      $typeName: "millrace.v1.TakeResponse",
      event: { case: "item", value: { $typeName: "millrace.v1.TakeItem", item: itemMessage(item), round } },
    })
  }

  const readAhead = (): void => {
    const rows = Math.min(aheadItems - out.size, Math.floor((aheadBytes - outBytes) / lastBytes))
    // A page at a time, unless so little is left that the client might wait.
    if (rows < 1 || (rows < aheadItems / 4 && out.size > aheadItems / 4)) return
    if (isReading || !mayBeMore || reached === undefined || isLeaving || hasEnded) return
    isReading = true
    const [after, inRound] = [reached, round]
    sessions.run(queues.items(queue, { after, limit: rows }), (exit) => {
      isReading = false
      if (hasEnded) return
      // The taker reads the same queue, and its failure is the one that is told.
      if (Exit.isFailure(exit)) return
      if (inRound !== round || after !== reached) return readAhead()
      mayBeMore = exit.value.length > 0
      for (const item of exit.value) {
        const bytes = bytesOf(item)
        if (outBytes + bytes > aheadBytes) return
        send(item, bytes)
      }
      readAhead()
    })
  }

  /** The taker has come to an item: passes on what became of it, now or when the client says so. */
  const comeTo = (item: QueueItem, settle: (answer: Answer) => void): void => {
    const { sequence } = item
    // Somebody else has removed what is before it.
    for (const earlier of out.keys()) {
      if (earlier >= sequence) break
      settled(earlier)
    }
    for (const earlier of answers.keys()) {
      if (earlier >= sequence) break
      settled(earlier)
    }
    const answer = answers.get(sequence)
    if (answer !== undefined) {
      settled(sequence)
      settle(answer)
    } else {
      if (isLeaving) return leave()
      current = { sequence, settle }
      if (!out.has(sequence)) {
        if (reached !== undefined && sequence <= reached) beginRound()
        mayBeMore = true
        send(item, bytesOf(item))
      }
    }
    readAhead()
  }

  const begin = (): void => {
    if (hasEnded || isLeaving) return
    call.write({
      $typeName: "millrace.v1.TakeResponse",
      event: { case: "begin", value: { $typeName: "millrace.v1.TakeBegin" } },
    })
  }

  const start = (options: TakeStart): void => {
    queue = options.queue
    aheadItems = Math.min(Math.max(options.aheadItems, 1), aheadItemsMax)
    aheadBytes = Math.min(Math.max(Number(options.aheadBytes), 1), aheadBytesMax)
    const take = queues.take(
      queue,
      (item) =>
        Effect.callback<void, string>((resume) => {
          comeTo(item, (answer) => {
            waitMillis = answer.waitMillis
            resume(answer.result)
          })
        }),
      { attemptsMax: options.attemptsMax, backoff: () => waitMillis, onTaken: Effect.sync(begin) },
    )
    taking = sessions.run(take, (exit) => {
      const error = Exit.isFailure(exit) ? Cause.findErrorOption(exit.cause) : Option.none()
      if (Option.isSome(error)) end(error.value)
      else if (isLeaving) end()
    })
  }

  const told = (sequence: number, answer: Answer): void => {
    // Of what was never handed out there is nothing to say.
    if (taking === undefined || sequence > sentMax) return end(unreadable)
    if (current?.sequence !== sequence) return void answers.set(sequence, answer)
    const { settle } = current
    current = undefined
    settled(sequence)
    settle(answer)
    readAhead()
  }

  const receive = ({ step }: TakeRequest): void => {
    switch (step.case) {
      case "start":
        return taking === undefined ? start(step.value) : end(unreadable)
      case "done":
        return told(Number(step.value.sequence), { result: Effect.void, waitMillis: 0 })
      case "failed": {
        const { reason, sequence, waitMs } = step.value
        beginRound()
        return told(Number(sequence), { result: Effect.fail(reason), waitMillis: waitMs })
      }
      case undefined:
        return end(unreadable)
    }
  }

  /** The client goes: what it has said is brought to an end first. */
  const leave = (): void => {
    isLeaving = true
    if (taking === undefined) end()
    else if (answers.size === 0) taking.interruptUnsafe()
  }

  call.on("data", (request: Received<typeof TakeRequestSchema>) => {
    if (hasEnded) return
    if (request === malformed) end(unreadable)
    else receive(request)
  })
  call.on("end", leave)
  call.on("cancelled", () => end())
  return (reason) => end(reason)
}
