/**
 * The client's side of a held cursor: it outlives its connections.
 *
 * It remembers its epoch and the last position that came, and goes on with both when it has a connection again; the node
 * lets it, unless somebody else has had the cursor meanwhile, or it was reset. What was handled is told as it happens,
 * the newest place only. The node sends no more ahead than a window, so what comes is taken in at once.
 */
import type { ClientDuplexStream, ServiceError } from "@grpc/grpc-js"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type InvalidArgument, Unavailable } from "../../../domain/errors.ts"
import type { Message } from "../../../domain/Message.ts"
import type { ConsumeError, HeldCursor, HoldCursor, HoldOptions } from "../../../topics/Topics.ts"
import { only } from "../server/answers.ts"
import * as codec from "../codec/codec.ts"
import type { Connection } from "../client/connection.ts"
import * as cursorCodec from "./cursorCodec.ts"
import { type BusError, fromStatus } from "../codec/errorCodec.ts"
import {
  type ConsumeBegin,
  type ConsumeRequest,
  type ConsumeResponse,
  type ConsumeStart,
  CursorsService,
} from "../gen/millrace/v1/cursors_pb.ts"
import { Reconnecting, type ReconnectOptions } from "../client/reconnecting.ts"

type Call = ClientDuplexStream<ConsumeRequest, ConsumeResponse>
type Arrived = ReadonlyArray<Message> | "live"

/** How long to wait for the node to let go of the cursor, in milliseconds. */
const freeMillis = 2000

const step = (step: ConsumeRequest["step"]): ConsumeRequest => ({ $typeName: "millrace.v1.ConsumeRequest", step })

/** A hold over its connections, as events. */
class RemoteHold {
  readonly #connection: Connection
  readonly #start: ConsumeStart
  readonly arrived = Effect.runSync(Queue.unbounded<Arrived>())
  readonly begun = Deferred.makeUnsafe<ConsumeBegin, ConsumeError>()
  readonly ended = Deferred.makeUnsafe<never, ConsumeError>()
  #begin: ConsumeBegin | undefined
  /** The last position that came. */
  #received = 0n
  /** The position of the last message that was given out here. */
  given = 0
  /** The last position that was handled, and the last one that the node was told of. */
  #handled = 0n
  #told = 0n
  #isTelling = false
  /** The call in use, once it has begun. */
  #call: Call | undefined
  readonly #settling = new Map<bigint, (result: Effect.Effect<void, ConsumeError>) => void>()
  #settles = 0n

  constructor(connection: Connection, start: ConsumeStart) {
    this.#connection = connection
    this.#start = start
  }

  /** One connection, from its beginning until it ends; gives how it ended. */
  session(onBegin: Effect.Effect<void>): Effect.Effect<{ failure: ServiceError | undefined; isProven: boolean }> {
    return Effect.callback((resume) => {
      const { call, isProven } = this.#connection.openBidirectional(CursorsService.method.consume)
      let failure: ServiceError | undefined
      let hasEnded = false
      const over = (): void => {
        if (hasEnded) return
        hasEnded = true
        this.#disconnected()
        resume(Effect.succeed({ failure, isProven }))
      }
      call.on("data", ({ event }: ConsumeResponse) => {
        switch (event.case) {
          case "begin":
            Effect.runFork(onBegin)
            return this.#connected(call, event.value)
          case "batch":
            this.#received = event.value.position
            return void Queue.offerUnsafe(this.arrived, codec.messages(event.value.messages))
          case "live":
            return void Queue.offerUnsafe(this.arrived, "live")
          case "settled":
            return this.#settled(event.value.number, Effect.void)
        }
      })
      call.on("error", (error: ServiceError) => {
        failure = error
        over()
      })
      // An error, where there is one, follows the end at once.
      call.on("end", () => setImmediate(over))
      call.write(step({ case: "start", value: this.#startNow() }))
      return Effect.callback<void>((done) => {
        this.#isTelling = false
        this.#tell()
        this.#disconnected()
        if (hasEnded) return done(Effect.void)
        // The node has let go of the cursor when it ends the call, too.
        const given = setTimeout(() => call.cancel(), freeMillis)
        const ended = (): void => {
          clearTimeout(given)
          done(Effect.void)
        }
        call.on("end", ended)
        call.on("error", ended)
        call.end()
      })
    })
  }

  #startNow(): ConsumeStart {
    const begin = this.#begin
    if (begin === undefined) return this.#start
    const place = cursorCodec.place(begin.place?.incarnation ?? "", this.#received)
    return { ...this.#start, resume: { $typeName: "millrace.v1.ConsumeResume", epoch: begin.epoch, place } }
  }

  #connected(call: Call, begin: ConsumeBegin): void {
    this.#call = call
    if (this.#begin === undefined) {
      this.#begin = begin
      this.#received = begin.place?.position ?? 0n
      Deferred.doneUnsafe(this.begun, Effect.succeed(begin))
      return
    }
    // What was told last may not have been heard.
    this.#told = 0n
    this.#tell()
  }

  #disconnected(): void {
    this.#call = undefined
    this.#isTelling = false
    const lost = new Unavailable({
      message: `the connection to ${this.#connection.url} was lost before what was handled is known to be committed`,
    })
    for (const number of this.#settling.keys()) this.#settled(number, Effect.fail(lost))
  }

  #settled(number: bigint, result: Effect.Effect<void, ConsumeError>): void {
    const resume = this.#settling.get(number)
    this.#settling.delete(number)
    resume?.(result)
  }

  handled(position: number): void {
    // What was never given out cannot be handled.
    const handled = BigInt(Math.min(position, this.given))
    if (handled <= this.#handled) return
    this.#handled = handled
    if (!this.#isTelling) this.#tell()
  }

  /** Tells the newest place; those passed while a word is on its way are left out. */
  #tell(): void {
    const call = this.#call
    if (call === undefined || this.#handled <= this.#told) return
    this.#isTelling = true
    this.#told = this.#handled
    const value = { $typeName: "millrace.v1.ConsumeHandled", position: this.#told } as const
    call.write(step({ case: "handled", value }), () => {
      if (this.#call !== call) return
      this.#isTelling = false
      this.#tell()
    })
  }

  get settled(): Effect.Effect<void, ConsumeError> {
    return Effect.suspend(() => {
      if (this.#handled === 0n) return Effect.void
      return Effect.callback<void, ConsumeError>((resume) => {
        const number = ++this.#settles
        this.#settling.set(number, resume)
        if (this.#call === undefined) return this.#disconnected()
        this.#tell()
        this.#call.write(step({ case: "settle", value: { $typeName: "millrace.v1.ConsumeSettle", number } }))
        return Effect.sync(() => this.#settling.delete(number))
      })
    })
  }
}

const holding = only(
  "InvalidArgument",
  "CursorInvalid",
  "CursorMismatch",
  "CursorTaken",
  "CursorLost",
  "StorageFailed",
  "StorageFull",
  "OutcomeUnknown",
)

const startOf = Effect.fnUntraced(function* (
  name: string,
  filter: string,
  { from, origin, takeOver = false }: HoldOptions,
): Effect.fn.Return<ConsumeStart, InvalidArgument> {
  return {
    $typeName: "millrace.v1.ConsumeStart",
    cursor: name,
    filter,
    ...(origin === undefined ? {} : { origin: codec.nodeMessage(origin) }),
    from: yield* cursorCodec.fromMessage(from),
    takeOver,
  }
})

/** `Topics.holdCursor` of the node at the other end. */
export const hold = (connection: Connection, options: ReconnectOptions): HoldCursor =>
  Effect.fnUntraced(function* (
    name: string,
    filter: string,
    { onLive = Effect.void, ...rest }: HoldOptions = {},
  ): Effect.fn.Return<HeldCursor, ConsumeError, Scope.Scope> {
    const remote = new RemoteHold(connection, yield* startOf(name, filter, rest))
    const reconnecting = new Reconnecting(connection.url, "consumer", options)

    /** Holds the cursor, one connection after the other, until it cannot. */
    const life = Effect.gen(function* () {
      while (true) {
        const { failure, isProven } = yield* remote.session(reconnecting.begun)
        const word = failure === undefined ? undefined : fromStatus(failure)
        // A node that closes is one to come back to.
        if (word !== undefined && word._tag !== "Unavailable") return yield* holding(Effect.fail<BusError>(word))
        yield* reconnecting.lost(failure, isProven)
      }
    })
    yield* Effect.forkScoped(
      Effect.onError(life, (cause) =>
        Effect.sync(() => {
          Deferred.doneUnsafe(remote.ended, Effect.failCause(cause))
          Deferred.doneUnsafe(remote.begun, Effect.failCause(cause))
        }),
      ),
      { startImmediately: true },
    )
    const { epoch, place } = yield* Deferred.await(remote.begun)

    let isLive = false
    const pull: Effect.Effect<readonly [Message, ...Array<Message>]> = Effect.flatMap(
      Queue.take(remote.arrived),
      (arrived) => {
        if (arrived === "live") {
          if (isLive) return pull
          isLive = true
          return Effect.andThen(onLive, pull)
        }
        const [first, ...others] = arrived
        if (first === undefined) return pull
        remote.given = arrived[arrived.length - 1]!.position
        return Effect.succeed([first, ...others] as const)
      },
    )
    const late = new Unavailable({ message: `the node at ${connection.url} did not answer in time` })
    return {
      epoch: Number(epoch),
      incarnation: place?.incarnation ?? "",
      position: Number(place?.position ?? 0n),
      messages: Stream.fromPull(Effect.succeed(pull)),
      handled: (position) => remote.handled(position),
      settled: Effect.timeoutOrElse(remote.settled, {
        duration: connection.timeoutMillis,
        orElse: () => Effect.fail(late),
      }),
      lost: Deferred.await(remote.ended),
    }
  })
