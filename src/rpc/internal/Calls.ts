/**
 * The calls that wait for their reply, by call id. Each ends once: with a reply of the client that was asked, with the
 * departure of that client, at its deadline, with a failure to send it, with the connection, or with its caller.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { Disconnected } from "../../domain/liveErrors.ts"
import type { ExchangeClient, Received, SendError } from "../../exchange/Exchange.ts"
import * as Payload from "../codec/payload.ts"
import { CalleeGone, rpcError, RpcTimeout } from "../errors.ts"
import type { CallError } from "../Rpc.ts"
import { Deadlines } from "./Deadlines.ts"
import { Departures, type Peer } from "./Departures.ts"

class Call {
  readonly id: number
  readonly target: string
  readonly method: string
  readonly timeoutMillis: number
  readonly resume: (result: Effect.Effect<Uint8Array, CallError>) => void
  callee: Peer<Call> | undefined
  /** Sends the request, as long as that takes. */
  sending: Fiber.Fiber<void, SendError> | undefined
  isSent = false

  constructor(id: number, target: string, method: string, timeoutMillis: number, resume: Call["resume"]) {
    this.id = id
    this.target = target
    this.method = method
    this.timeoutMillis = timeoutMillis
    this.resume = resume
  }
}

const timedOut = ({ target, method, timeoutMillis }: Call): RpcTimeout =>
  new RpcTimeout({
    target,
    method,
    timeoutMillis,
    message: `${target} did not answer ${method} within ${timeoutMillis} ms`,
  })

const calleeGone = ({ target, method }: Call): CalleeGone =>
  new CalleeGone({ target, method, message: `${target} disconnected before it answered ${method}` })

/** Runs an effect with the services that handlers need, at once, as far as it goes. */
export type Run<R = never> = <A, E>(effect: Effect.Effect<A, E, R>) => Fiber.Fiber<A, E>

export class Calls {
  readonly #client: ExchangeClient
  readonly #run: Run
  readonly #calls: Map<number, Call> = new Map()
  readonly #departures: Departures<Call>
  readonly #deadlines: Deadlines<Call>
  #lastId = 0
  #ended: Disconnected | undefined

  constructor(client: ExchangeClient, clock: Clock.Clock, run: Run, fork: (effect: Effect.Effect<void>) => void) {
    this.#client = client
    this.#run = run
    this.#departures = new Departures(client, fork)
    this.#deadlines = new Deadlines(clock, fork, (call) => this.#end(call, Effect.fail(timedOut(call))))
  }

  get size(): number {
    return this.#calls.size
  }

  /** The name of the method obeys `methodProblem`. */
  call(
    target: string,
    method: string,
    params: Uint8Array,
    timeoutMillis: number,
    isRealtime: boolean,
  ): Effect.Effect<Uint8Array, CallError> {
    return Effect.callback((resume) => {
      if (this.#ended !== undefined) return resume(Effect.fail(this.#ended))
      const call = new Call(this.#freeId(), target, method, timeoutMillis, resume)
      this.#calls.set(call.id, call)
      const callee = this.#departures.enter(target, call)
      call.callee = callee
      if (Number.isFinite(timeoutMillis)) this.#deadlines.add(call, timeoutMillis)
      const send = Effect.suspend(() => {
        call.isSent = true
        return this.#client.send(target, Payload.request(call.id, method, params), { isRealtime })
      })
      const sending = this.#run(callee.isWatched ? send : Effect.andThen(this.#departures.watch(callee), send))
      const sent = sending.pollUnsafe()
      if (sent === undefined) {
        call.sending = sending
        sending.addObserver((exit) => this.#sent(call, exit))
        // It may have ended while it was being sent.
        if (!this.#isOpen(call)) sending.interruptUnsafe()
      } else this.#sent(call, sent)
      return Effect.sync(() => this.#drop(call))
    })
  }

  /** A reply has come. Whether anybody has waited for it. */
  reply(callId: number, sender: string, result: Uint8Array): boolean {
    const call = this.#asked(callId, sender)
    if (call !== undefined) this.#end(call, Effect.succeed(result))
    return call !== undefined
  }

  /** An error has come. Whether anybody has waited for it. */
  errorReply(callId: number, sender: string, code: number, error: Uint8Array): boolean {
    const call = this.#asked(callId, sender)
    if (call !== undefined) {
      this.#end(call, Effect.fail(code === Payload.ErrorCode.gone ? calleeGone(call) : rpcError(code, error)))
    }
    return call !== undefined
  }

  /** Takes the announcement of a client's departure. Whether it was one. */
  departure(frame: Received): boolean {
    const callee = this.#departures.departed(frame)
    if (callee === undefined) return false
    if (callee === "unknown") return true
    // What is not yet sent finds out for itself.
    for (const call of callee.waiting) if (call.isSent) this.#end(call, Effect.fail(calleeGone(call)))
    return true
  }

  /** The connection was lost, and whatever was on its way with it. Requests that wait for the next one go on. */
  lost(): void {
    const name = this.#client.name
    const message = `the connection of the client ${name} was lost before the answer came`
    const error = new Disconnected({ name, reason: "connectionLost", message })
    for (const call of this.#calls.values()) if (call.isSent) this.#end(call, Effect.fail(error))
  }

  /** The connection is over, and with it every call, now and later. */
  end(reason: Disconnected): void {
    this.#ended ??= reason
    for (const call of this.#calls.values()) this.#end(call, Effect.fail(reason))
  }

  get close(): Effect.Effect<void> {
    return this.#departures.close
  }

  #freeId(): number {
    do this.#lastId = this.#lastId === Payload.callIdMax ? 1 : this.#lastId + 1
    while (this.#calls.has(this.#lastId))
    return this.#lastId
  }

  #asked(callId: number, sender: string): Call | undefined {
    const call = this.#calls.get(callId)
    return call?.target === sender ? call : undefined
  }

  #isOpen(call: Call): boolean {
    return this.#calls.get(call.id) === call
  }

  #sent(call: Call, exit: Exit.Exit<void, SendError>): void {
    call.sending = undefined
    if (Exit.isFailure(exit) && this.#isOpen(call)) this.#end(call, Effect.failCause(exit.cause))
  }

  /** Whatever else comes for it is ignored from now on. */
  #drop(call: Call): void {
    if (!this.#isOpen(call)) return
    this.#calls.delete(call.id)
    this.#departures.leave(call.callee!, call)
    this.#deadlines.remove(call, call.timeoutMillis)
    call.sending?.interruptUnsafe()
  }

  #end(call: Call, result: Effect.Effect<Uint8Array, CallError>): void {
    this.#drop(call)
    call.resume(result)
  }
}
