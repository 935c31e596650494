/**
 * What is asked of this client: handlers that run side by side, up to a bound, and their replies on the way back. A
 * handler whose answer is there at once costs no fiber. Replies to one caller that are ready together are sent together,
 * and a caller that does not take its replies holds up nobody else.
 *
 * A request counts until its reply is sent. So what waits here is bounded too.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { ExchangeClient } from "../../exchange/Exchange.ts"
import * as Payload from "../codec/payload.ts"
import { RpcError, rpcError } from "../errors.ts"
import type { RpcHandler, RpcNotification } from "../Rpc.ts"
import type { Run } from "./Calls.ts"

export interface Handlers<R> {
  readonly byMethod: ReadonlyMap<string, RpcHandler<R>>
  readonly fallback: RpcHandler<R> | undefined
  readonly onNotification: ((notification: RpcNotification) => Effect.Effect<void, never, R>) | undefined
}

/** Replies to one caller that wait to be sent. */
interface Outgoing {
  payloads: Array<Uint8Array>
  /** How many of them are to requests that count. */
  counted: number
  isSending: boolean
}

const nothing = new Uint8Array(0)

const unknownMethod = (method: string): RpcError => rpcError(Payload.ErrorCode.methodNotFound, method)

export class Handling<R> {
  readonly #client: ExchangeClient
  readonly #handlers: Handlers<R>
  readonly #max: number
  readonly #run: Run<R>
  readonly #running: Set<Fiber.Fiber<unknown, unknown>> = new Set()
  readonly #outgoing: Map<string, Outgoing> = new Map()
  #flushIsDue = false
  #isClosing = false
  #refusals = 0
  handling = 0
  refused = 0

  constructor(client: ExchangeClient, handlers: Handlers<R>, max: number, run: Run<R>) {
    this.#client = client
    this.#handlers = handlers
    this.#max = max
    this.#run = run
  }

  request(sender: string, callId: number, method: string, params: Uint8Array): void {
    const handler = this.#handlers.byMethod.get(method) ?? this.#handlers.fallback
    if (handler === undefined) return this.refuse(sender, callId, unknownMethod(method))
    if (this.handling >= this.#max) {
      this.refused++
      return this.refuse(sender, callId, rpcError(Payload.ErrorCode.busy))
    }
    this.handling++
    this.#start(
      () => handler({ sender, method, params }),
      (exit) => {
        const answer = callId === 0 ? undefined : this.#answer(callId, exit)
        this.#report(method, sender, exit)
        if (answer === undefined) this.handling--
        else this.#reply(sender, answer, true)
      },
    )
  }

  notification(sender: string, payload: Uint8Array): void {
    const { onNotification } = this.#handlers
    if (onNotification === undefined) return
    if (this.handling >= this.#max) {
      this.refused++
      return
    }
    this.handling++
    this.#start(
      () => onNotification({ sender, payload }),
      (exit) => {
        this.handling--
        this.#report("a notification", sender, exit)
      },
    )
  }

  /** Answers a request that is not handled. Where too many such answers wait already, there is none. */
  refuse(sender: string, callId: number, error: RpcError): void {
    if (callId === 0 || this.#refusals >= this.#max) return
    this.#refusals++
    this.#reply(sender, Payload.errorReply(callId, error.code, error.data), false)
  }

  /** Sends the replies that are ready. */
  flush(): void {
    this.#flushIsDue = false
    for (const [sender, outgoing] of this.#outgoing) if (!outgoing.isSending) this.#send(sender, outgoing)
  }

  /** Interrupts what runs, and answers that nobody is there any more. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.#isClosing = true
    return Fiber.interruptAll([...this.#running])
  }).pipe(
    Effect.andThen(Effect.sync(() => this.flush())),
    Effect.andThen(Effect.suspend(() => Fiber.interruptAll([...this.#running]))),
  )

  #start<A, E>(make: () => Effect.Effect<A, E, R>, done: (exit: Exit.Exit<A, E>) => void): void {
    let effect: Effect.Effect<A, E, R>
    try {
      effect = make()
    } catch (defect) {
      return done(Exit.die(defect))
    }
    if (Exit.isExit(effect)) return done(effect as Exit.Exit<A, E>)
    this.#track(this.#run(effect), (exit) => {
      done(exit)
      this.#flushSoon()
    })
  }

  #track<A, E>(fiber: Fiber.Fiber<A, E>, done: (exit: Exit.Exit<A, E>) => void): void {
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return done(exit)
    this.#running.add(fiber)
    fiber.addObserver((exit) => {
      this.#running.delete(fiber)
      done(exit)
    })
  }

  #answer(callId: number, exit: Exit.Exit<Uint8Array, RpcError>): Uint8Array {
    if (Exit.isSuccess(exit)) return Payload.reply(callId, exit.value)
    const reason = exit.cause.reasons.find(Cause.isFailReason)
    if (reason !== undefined && Payload.isErrorCode(reason.error.code)) {
      return Payload.errorReply(callId, reason.error.code, reason.error.data)
    }
    const { internal, gone } = Payload.ErrorCode
    return Payload.errorReply(callId, this.#isClosing && Cause.hasInterruptsOnly(exit.cause) ? gone : internal, nothing)
  }

  /** What no caller is told is told here. */
  #report(what: string, sender: string, exit: Exit.Exit<unknown, unknown>): void {
    if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return
    const fails = exit.cause.reasons.every(Cause.isFailReason)
    const log = fails ? Effect.logDebug : Effect.logError
    this.#run(log(`the handler of ${what} from ${sender} ${fails ? "failed" : "has a defect"}`, exit.cause))
  }

  #reply(sender: string, payload: Uint8Array, isCounted: boolean): void {
    let outgoing = this.#outgoing.get(sender)
    if (outgoing === undefined) {
      outgoing = { payloads: [], counted: 0, isSending: false }
      this.#outgoing.set(sender, outgoing)
    }
    outgoing.payloads.push(payload)
    if (isCounted) outgoing.counted++
  }

  #flushSoon(): void {
    if (this.#flushIsDue) return
    this.#flushIsDue = true
    queueMicrotask(() => this.flush())
  }

  #send(sender: string, outgoing: Outgoing): void {
    const { payloads, counted } = outgoing
    if (payloads.length === 0) {
      this.#outgoing.delete(sender)
      return
    }
    outgoing.payloads = []
    outgoing.counted = 0
    outgoing.isSending = true
    // A caller that is gone, or does not read, is not told; and a client that is disconnected has no callers.
    this.#track(this.#run(this.#client.sendAll(sender, payloads, { isProcessed: false })), () => {
      this.handling -= counted
      this.#refusals -= payloads.length - counted
      outgoing.isSending = false
      this.#send(sender, outgoing)
    })
  }
}
