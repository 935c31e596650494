/**
 * The client's side of the `Publish` stream: publishes of many fibers share requests, several requests are under way at
 * once, all in the order in which they were made.
 *
 * What waits when the event loop comes round goes out together, as a group commit does. When the connection is lost,
 * what had been sent is unknown, and fails so, unless the node said that it had not looked at it; drafts with keys
 * are sent again for a while, since that cannot store them twice. What had not been sent changed nothing.
 *
 * Plain code on arrays; an Effect begins and ends at each publish.
 */
import { type ClientDuplexStream, type ServiceError, status } from "@grpc/grpc-js"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type AccessDenied, OutcomeUnknown, Unavailable } from "../../../domain/errors.ts"
import type { Message } from "../../../domain/Message.ts"
import type { NodeId } from "../../../domain/NodeId.ts"
import type { PublishError } from "../../../topics/Topics.ts"
import { draftBytes, plainNode } from "../codec/codec.ts"
import { type Connection, noAnswer } from "../client/connection.ts"
import { fromStatus } from "../codec/errorCodec.ts"
import {
  type Draft,
  type PublishRequest,
  type PublishResponse,
  type PublishResult,
  TopicsService,
} from "../gen/millrace/v1/topics_pb.ts"
import { type NodeLimits, parts, requestBytesWanted, requestDraftsMax, result, tooLarge } from "./publishRequest.ts"
import type { ReconnectEvent } from "../client/ReconnectEvent.ts"

/** Requests, and bytes, that may be under way. */
const windowRequests = 16
const windowBytes = 8 * 1024 * 1024

/** Milliseconds between attempts to reach the node again: the first, and the longest. */
const backoffMillisMin = 50
const backoffMillisMax = 1000

/** How often what has waited too long is looked for, in milliseconds. */
const sweepMillis = 500

/** What one caller publishes, and waits for. */
interface Entry {
  readonly drafts: ReadonlyArray<Draft>
  readonly bytes: number
  readonly atomic: boolean
  /** Every draft has a key: sending it twice stores it once. */
  readonly isRepeatable: boolean
  readonly settle: (result: Effect.Effect<ReadonlyArray<Message>, PublishError>) => void
  /** It went out on a connection that was lost before the answer. */
  isInDoubt: boolean
  isSettled: boolean
  /** Milliseconds, by the monotonic clock. */
  deadline: number
  isDeadlineExtended: boolean
}

/** A request that waits for its answer. */
interface Sent {
  readonly number: bigint
  readonly entries: ReadonlyArray<Entry>
  readonly bytes: number
}

export interface Publisher {
  /** Publishes drafts: in one commit, all or none, where `atomic`. */
  readonly publish: (
    drafts: ReadonlyArray<Draft>,
    atomic: boolean,
  ) => Effect.Effect<ReadonlyArray<Message>, PublishError>
}

export interface PublisherOptions {
  readonly connection: Connection
  /** How long drafts with keys are sent again after the connection was lost, in milliseconds. */
  readonly repeatMillis: number
  /** Told when the connection is lost while drafts wait to be sent again, and what comes of it. */
  readonly onReconnect: (event: ReconnectEvent) => void
}

class Pipeline {
  readonly #connection: Connection
  readonly #repeatMillis: number
  readonly #onReconnect: PublisherOptions["onReconnect"]
  #waiting: Array<Entry> = []
  #sent: Array<Sent> = []
  #sentBytes = 0
  #number = 0n
  #call: ClientDuplexStream<PublishRequest, PublishResponse> | undefined
  /** From the node's hello on: what it takes, and who it is. */
  #node: (NodeLimits & { readonly id: NodeId }) | undefined
  #lastNumberSeen: bigint | undefined
  #hasConnected = false
  #isFlushScheduled = false
  #retryTimer: NodeJS.Timeout | undefined
  #attempts = 0
  #sweepTimer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor({ connection, repeatMillis, onReconnect }: PublisherOptions) {
    this.#onReconnect = onReconnect
    this.#connection = connection
    this.#repeatMillis = repeatMillis
  }

  add(drafts: ReadonlyArray<Draft>, atomic: boolean, settle: Entry["settle"]): Entry {
    let bytes = 0
    let isRepeatable = true
    for (const draft of drafts) {
      bytes += draftBytes(draft)
      if (draft.key === undefined) isRepeatable = false
    }
    const entry: Entry = {
      drafts,
      bytes,
      atomic,
      isRepeatable,
      settle,
      isInDoubt: false,
      isSettled: false,
      deadline: performance.now() + this.#connection.timeoutMillis,
      isDeadlineExtended: false,
    }
    if (this.#isClosed) {
      this.#refuse(entry, "the client is closed")
      return entry
    }
    this.#waiting.push(entry)
    this.#sweepTimer ??= setInterval(() => this.#sweep(), sweepMillis)
    if (!this.#isFlushScheduled) {
      this.#isFlushScheduled = true
      setImmediate(() => {
        this.#isFlushScheduled = false
        this.#flush()
      })
    }
    return entry
  }

  /** The caller waits no more: what was not sent yet never will be. */
  abandon(entry: Entry): void {
    entry.isSettled = true
  }

  close(): void {
    this.#isClosed = true
    const call = this.#call
    this.#call = undefined
    call?.cancel()
    clearTimeout(this.#retryTimer)
    for (const { entries } of this.#sent) for (const entry of entries) this.#lose(entry, "the client was closed")
    for (const entry of this.#waiting) this.#refuse(entry, "the client was closed")
    this.#sent = []
    this.#waiting = []
    this.#stopSweeping()
  }

  #settle(entry: Entry, result: Effect.Effect<ReadonlyArray<Message>, PublishError>): void {
    if (entry.isSettled) return
    entry.isSettled = true
    entry.settle(result)
  }

  /** Nothing has changed. */
  #refuse(entry: Entry, message: string, error: PublishError = new Unavailable({ message })): void {
    if (entry.isInDoubt) this.#lose(entry, message)
    else this.#settle(entry, Effect.fail(error))
  }

  /** Nobody knows. */
  #lose(entry: Entry, message: string): void {
    this.#settle(
      entry,
      Effect.fail(
        new OutcomeUnknown({
          operation: "publish",
          message: `${message}; the publish may have happened or not`,
        }),
      ),
    )
  }

  #flush(): void {
    if (this.#isClosed || this.#waiting.length === 0) return
    const call = this.#call
    const node = this.#node
    if (call === undefined) {
      if (this.#retryTimer === undefined) this.#open()
      return
    }
    if (node === undefined) return
    let next = 0
    while (next < this.#waiting.length && this.#sent.length < windowRequests && this.#sentBytes < windowBytes) {
      const entries: Array<Entry> = []
      let drafts = 0
      let bytes = 0
      while (next < this.#waiting.length && drafts < requestDraftsMax) {
        const entry = this.#waiting[next]!
        if (!entry.isSettled && this.#isSendable(entry, node)) {
          const fits = drafts === 0 || (!entry.atomic && bytes + entry.bytes <= requestBytesWanted)
          if (!fits) break
          entries.push(entry)
          drafts += entry.drafts.length
          bytes += entry.bytes
        }
        next++
        if (entry.atomic && entries.length > 0) break
      }
      if (entries.length > 0) this.#send(call, entries, bytes)
    }
    this.#waiting = next === this.#waiting.length ? [] : this.#waiting.slice(next)
  }

  /** Refuses what the node would not take, before it costs the others their stream. */
  #isSendable(entry: Entry, limits: NodeLimits): boolean {
    for (const draft of entry.drafts) {
      const error = tooLarge(draft, limits)
      if (error === undefined) continue
      this.#settle(entry, Effect.fail(error))
      return false
    }
    return true
  }

  #send(call: ClientDuplexStream<PublishRequest, PublishResponse>, entries: Array<Entry>, bytes: number): void {
    const { atomic } = entries[0]!
    // Only an atomic batch can be too large for one request.
    const requests = atomic ? parts(entries[0]!.drafts) : [entries.map((entry) => entry.drafts[0]!)]
    for (const [i, drafts] of requests.entries()) {
      this.#number += 1n
      const more = i < requests.length - 1
      call.write({ $typeName: "millrace.v1.PublishRequest", number: this.#number, drafts, atomic, more })
    }
    this.#sent.push({ number: this.#number, entries, bytes })
    this.#sentBytes += bytes
  }

  #open(): void {
    const { call, isProven } = this.#connection.openBidirectional(TopicsService.method.publish)
    this.#call = call
    this.#node = undefined
    this.#lastNumberSeen = undefined
    call.on("data", ({ answer }: PublishResponse) => {
      if (call !== this.#call) return
      switch (answer.case) {
        case "hello": {
          const { node, messageBytesMax, requestBytesMax } = answer.value
          this.#node = {
            id: plainNode(node),
            messageBytesMax: Number(messageBytesMax),
            requestBytesMax: Number(requestBytesMax),
          }
          this.#hasConnected = true
          if (this.#attempts > 0) {
            this.#onReconnect({ _tag: "Restored", of: "publish", url: this.#connection.url, attempts: this.#attempts })
            this.#attempts = 0
          }
          this.#flush()
          break
        }
        case "result":
          this.#answered(answer.value)
          break
        case "closing":
          this.#lastNumberSeen = answer.value.lastNumber
          break
      }
    })
    call.on("error", (failure: ServiceError) => {
      if (call !== this.#call) return
      // A connection that had died since it was last used: nothing was sent, and a new one is tried at once.
      if (isProven && this.#node === undefined && failure.code === status.UNAVAILABLE) return this.#open()
      const word = fromStatus(failure)
      this.#lost(
        word?.message ?? noAnswer(this.#connection.url, failure),
        word?._tag === "AccessDenied" ? word : undefined,
      )
    })
    call.on("end", () => {
      // An error, where there is one, follows the end at once.
      setImmediate(() => {
        if (call === this.#call) this.#lost(`the node at ${this.#connection.url} ended the stream`)
      })
    })
  }

  #answered({ number, outcomes }: PublishResult): void {
    const sent = this.#sent[0]
    if (sent === undefined || sent.number !== number) {
      this.#call?.cancel()
      return this.#lost(`the node at ${this.#connection.url} answered out of turn`)
    }
    this.#sent.shift()
    this.#sentBytes -= sent.bytes
    const node = this.#node!.id
    let first = 0
    for (const entry of sent.entries) {
      const last = first + entry.drafts.length
      if (!entry.isSettled) this.#settle(entry, result(entry.drafts, outcomes, first, node))
      first = last
    }
    if (this.#waiting.length > 0) this.#flush()
    else if (this.#sent.length === 0) this.#stopSweeping()
  }

  /**
   * The connection is gone: what was sent is unknown, or goes again where that is safe. Who was turned away does not come
   * again.
   */
  #lost(why: string, denied?: AccessDenied): void {
    // Whoever is told may publish again at once: that belongs to the next connection.
    const sent = this.#sent
    const waiting = this.#waiting
    this.#call = undefined
    this.#node = undefined
    this.#sent = []
    this.#sentBytes = 0
    this.#waiting = []
    const now = performance.now()
    const kept: Array<Entry> = []
    const keepOrRefuse = (entry: Entry, mayKeep: boolean): void => {
      if (entry.isSettled) return
      if (mayKeep && !entry.isDeadlineExtended) {
        entry.isDeadlineExtended = true
        entry.deadline = now + this.#repeatMillis
      }
      if (mayKeep && entry.deadline > now && denied === undefined) kept.push(entry)
      else this.#refuse(entry, why, denied)
    }
    for (const { number, entries } of sent) {
      const wasSeen = this.#lastNumberSeen === undefined || number <= this.#lastNumberSeen
      for (const entry of entries) {
        if (wasSeen) entry.isInDoubt = true
        keepOrRefuse(entry, entry.isRepeatable)
      }
    }
    for (const entry of waiting) keepOrRefuse(entry, entry.isRepeatable && this.#hasConnected)
    this.#waiting = [...kept, ...this.#waiting]
    if (this.#waiting.length === 0) return this.#stopSweeping()
    if (kept.length > 0) this.#retry(why)
  }

  #retry(reason: string): void {
    const { url } = this.#connection
    if (this.#attempts === 0) this.#onReconnect({ _tag: "Lost", of: "publish", url, reason })
    const delayMillis = Math.min(backoffMillisMin * 2 ** Math.min(this.#attempts, 16), backoffMillisMax)
    this.#attempts++
    this.#onReconnect({ _tag: "Retrying", of: "publish", url, attempt: this.#attempts, delayMillis })
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined
      this.#flush()
    }, delayMillis)
  }

  #sweep(): void {
    const now = performance.now()
    const why = `the node at ${this.#connection.url} did not answer in time`
    for (const { entries } of this.#sent) {
      for (const entry of entries) if (entry.deadline <= now) this.#lose(entry, why)
    }
    for (const entry of this.#waiting) if (entry.deadline <= now) this.#refuse(entry, why)
    this.#waiting = this.#waiting.filter((entry) => !entry.isSettled)
    if (this.#waiting.length === 0 && this.#sent.length === 0) this.#stopSweeping()
  }

  #stopSweeping(): void {
    clearInterval(this.#sweepTimer)
    this.#sweepTimer = undefined
  }
}

export const make = (options: PublisherOptions): Effect.Effect<Publisher, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new Pipeline(options)),
      (pipeline) => Effect.sync(() => pipeline.close()),
    ),
    (pipeline) => ({
      publish: (drafts, atomic) =>
        Effect.callback((resume) => {
          const entry = pipeline.add(drafts, atomic, resume)
          return Effect.sync(() => pipeline.abandon(entry))
        }),
    }),
  )
