/**
 * The node's side of one `Publish` stream: requests are taken in order, run side by side so that they share commits,
 * and answered in order.
 *
 * A sender that runs ahead is not read from while too much of its work waits, or there is no room. On closing, what
 * was read is finished and the sender learns which request was the last.
 */
import type { ServerDuplexStream } from "@grpc/grpc-js"
import * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { InvalidArgument, OutcomeUnknown, type Unavailable } from "../../../domain/errors.ts"
import type { Message } from "../../../domain/Message.ts"
import type { NodeId } from "../../../domain/NodeId.ts"
import type { PublishDraft, PublishError, Topics } from "../../../topics/Topics.ts"
import type { Admission } from "../server/Admission.ts"
import { draftBytes, nodeMessage } from "../codec/codec.ts"
import { encode, toStatus } from "../codec/errorCodec.ts"
import type {
  Draft as DraftMessage,
  PublishOutcome,
  PublishRequest,
  PublishRequestSchema,
  PublishResponse,
} from "../gen/millrace/v1/topics_pb.ts"
import { type EndCall, type Received, type Sessions, unreadable } from "../server/session.ts"
import { malformed } from "../codec/wire.ts"

/** Work of one stream that may wait, in drafts and in bytes, before the stream is not read from. */
const waitingDraftsMax = 16_384
const waitingBytesMax = 16 * 1024 * 1024

/** The largest atomic batch that is collected over several requests, in bytes. */
const atomicBytesMax = 64 * 1024 * 1024

/** A request under way: its answer is sent when all outcomes are there and all earlier requests are answered. */
interface Work {
  readonly number: bigint
  readonly outcomes: Array<PublishOutcome>
  readonly drafts: number
  readonly bytes: number
  missing: number
}

const stored = (message: Message): PublishOutcome => ({
  $typeName: "millrace.v1.PublishOutcome",
  offset: BigInt(message.offset),
  position: BigInt(message.position),
  id: message.id,
  createdAtMs: BigInt(message.createdAt),
  deleted: message.deleted,
})

const refused = (error: PublishError): PublishOutcome => ({
  $typeName: "millrace.v1.PublishOutcome",
  offset: 0n,
  position: 0n,
  id: "",
  createdAtMs: 0n,
  deleted: false,
  error: encode(error),
})

/** Whatever ended a publish without an error of its own left its outcome unknown. */
const errorOf = (cause: Cause.Cause<PublishError>): PublishError => {
  const found = Cause.findError(cause)
  return Result.isSuccess(found)
    ? found.success
    : new OutcomeUnknown({
        operation: "publish",
        message: Cause.hasInterruptsOnly(cause)
          ? "the publish was interrupted before it was acknowledged: it may have happened or not"
          : "the node failed in a way that it did not expect: the publish may have happened or not",
      })
}

const draftOf = (draft: DraftMessage): PublishDraft => ({
  topic: draft.topic,
  payload: draft.payload,
  headers: draft.headers,
  key: draft.key,
})

export interface PublishSessionOptions {
  readonly topics: Topics["Service"]
  readonly sessions: Sessions
  /** The largest message, and the largest request, in bytes. */
  readonly messageBytesMax: number
  readonly requestBytesMax: number
  readonly node: NodeId
  readonly admission: Admission
}

/** Serves a stream; gives what closes it. */
export const serve = (
  call: ServerDuplexStream<Received<typeof PublishRequestSchema>, PublishResponse>,
  { topics, sessions, messageBytesMax, requestBytesMax, node, admission }: PublishSessionOptions,
): EndCall => {
  const waiting: Array<Work> = []
  let waitingDrafts = 0
  let waitingBytes = 0
  let lastNumber = 0n
  let hasEnded = false
  /** Why the node ends the stream. */
  let closingFor: Unavailable | undefined
  let isFinished = false
  /** Set while a request waits for room: gives the place in that line up. */
  let takeBack: (() => void) | undefined
  let atomic: { drafts: Array<PublishDraft>; bytes: number } | undefined

  const respond = (answer: PublishResponse["answer"]): void => {
    if (!call.cancelled) call.write({ $typeName: "millrace.v1.PublishResponse", answer })
  }

  /** Ends the stream when all that was taken is answered. */
  const finish = (): void => {
    if (waiting.length > 0 || isFinished) return
    isFinished = true
    if (closingFor !== undefined) {
      respond({ case: "closing", value: { $typeName: "millrace.v1.PublishClosing", lastNumber } })
      call.emit("error", toStatus(closingFor))
    } else {
      call.end()
    }
  }

  /** A batch whose last part never came. */
  const dropAtomic = (): void => {
    if (atomic === undefined) return
    admission.leave(atomic.bytes)
    atomic = undefined
  }

  const answer = (): void => {
    while (waiting.length > 0 && waiting[0]!.missing === 0) {
      const { number, outcomes, drafts, bytes } = waiting.shift()!
      waitingDrafts -= drafts
      waitingBytes -= bytes
      admission.leave(bytes)
      respond({ case: "result", value: { $typeName: "millrace.v1.PublishResult", number, outcomes } })
    }
    if (takeBack === undefined && call.isPaused() && waitingDrafts < waitingDraftsMax && waitingBytes < waitingBytesMax)
      call.resume()
    if (hasEnded || closingFor !== undefined) finish()
  }

  const enqueue = (number: bigint, missing: number, drafts: number, bytes: number): Work => {
    const work: Work = { number, outcomes: [], drafts, bytes, missing }
    waiting.push(work)
    waitingDrafts += drafts
    waitingBytes += bytes
    if (waitingDrafts >= waitingDraftsMax || waitingBytes >= waitingBytesMax) call.pause()
    return work
  }

  const runAll = (work: Work, effect: Effect.Effect<ReadonlyArray<Message>, PublishError>): void => {
    sessions.run(effect, (exit) => {
      if (Exit.isSuccess(exit)) for (const message of exit.value) work.outcomes.push(stored(message))
      else work.outcomes.push(refused(errorOf(exit.cause)))
      work.missing = 0
      answer()
    })
  }

  const runEach = (work: Work, drafts: ReadonlyArray<DraftMessage>): void => {
    for (let i = 0; i < drafts.length; i++) {
      const { topic, payload, headers, key } = drafts[i]!
      // A fiber begins at once, so that drafts enter the journal in the order of the request.
      sessions.run(topics.publish(topic, payload, { headers, key }), (exit) => {
        work.outcomes[i] = Exit.isSuccess(exit) ? stored(exit.value) : refused(errorOf(exit.cause))
        work.missing--
        if (work.missing === 0) answer()
      })
    }
    if (drafts.length === 0) answer()
  }

  const takeAtomic = (request: PublishRequest, bytes: number): void => {
    atomic ??= { drafts: [], bytes: 0 }
    const collected = atomic
    collected.bytes += bytes
    if (collected.bytes <= atomicBytesMax) for (const draft of request.drafts) collected.drafts.push(draftOf(draft))
    else collected.drafts = []
    if (request.more) return
    atomic = undefined
    const work = enqueue(request.number, 1, collected.drafts.length, collected.bytes)
    if (collected.bytes <= atomicBytesMax) return runAll(work, topics.publishAll(collected.drafts))
    work.outcomes.push(
      refused(
        new InvalidArgument({
          argument: "drafts",
          message: `an atomic batch holds at most ${atomicBytesMax.toLocaleString("en")} bytes, this one has ${collected.bytes.toLocaleString("en")}`,
        }),
      ),
    )
    work.missing = 0
    answer()
  }

  const take = (request: PublishRequest, bytes: number): void => {
    lastNumber = request.number
    if (request.atomic) takeAtomic(request, bytes)
    else runEach(enqueue(request.number, request.drafts.length, request.drafts.length, bytes), request.drafts)
  }

  call.on("data", (request: Received<typeof PublishRequestSchema>) => {
    if (closingFor !== undefined || hasEnded) return
    if (request === malformed) {
      hasEnded = true
      isFinished = true
      return void call.emit("error", toStatus(unreadable))
    }
    let bytes = 0
    for (const draft of request.drafts) bytes += draftBytes(draft)
    // Who holds room for the first parts of a batch must not wait for the others: two of them could wait for ever.
    if (admission.tryEnter(bytes, atomic !== undefined)) return take(request, bytes)
    call.pause()
    takeBack = admission.enter(bytes, () => {
      takeBack = undefined
      take(request, bytes)
      answer()
    })
  })
  call.on("cancelled", () => {
    takeBack?.()
    dropAtomic()
  })
  call.on("end", () => {
    hasEnded = true
    dropAtomic()
    if (takeBack === undefined) finish()
  })
  respond({
    case: "hello",
    value: {
      $typeName: "millrace.v1.PublishHello",
      messageBytesMax: BigInt(messageBytesMax),
      requestBytesMax: BigInt(requestBytesMax),
      node: nodeMessage(node),
    },
  })
  return (reason) => {
    closingFor = reason
    takeBack?.()
    takeBack = undefined
    dropAtomic()
    finish()
  }
}
