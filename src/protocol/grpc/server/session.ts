/**
 * The calls that a server has under way: each runs as a fiber, is interrupted when its client goes or its deadline
 * passes, and is answered exactly once.
 *
 * Closing: calls that come later are refused, calls that end by themselves are let end, calls that would never end
 * (subscriptions) are ended with UNAVAILABLE, which tells their clients to come again.
 */
import type {
  DescMessage,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageShape,
} from "@bufbuild/protobuf"
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Server,
  type ServerDuplexStream,
  status,
} from "@grpc/grpc-js"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import { InvalidArgument, Unavailable } from "../../../domain/errors.ts"
import type { CallWatch } from "./CallWatch.ts"
import { millisUntil } from "../codec/deadlines.ts"
import { type FailureStatus, statusCode, toStatus, type ServedError } from "../codec/errorCodec.ts"
import * as Outlet from "./outlet.ts"
import { type Answer, malformed, path, requestReader, serializer, weigher } from "../codec/wire.ts"

/** A request, or what was left of one that could not be read. */
export type Received<D extends DescMessage> = MessageShape<D> | typeof malformed

/** What every call that comes too late is told. */
export const closing = new Unavailable({ message: "the node is shutting down" })

export const unreadable = new InvalidArgument({
  argument: "request",
  message: "the request is not a message of this method",
})

const unexpected: FailureStatus = {
  ...toStatus(closing),
  code: status.INTERNAL,
  details: "the node failed in a way that it did not expect",
}

/** The circumstances of a call. */
export interface CallInfo {
  /** Milliseconds until the client's deadline; infinite where it set none. */
  readonly remainingMillis: () => number
}

export interface StreamOptions<A> {
  /** About how many bytes an answer takes. */
  readonly weigh: (answer: A) => number
  /** The call goes on until somebody ends it. */
  readonly endless: boolean
  /** The status for an error, where it is not the usual one. */
  readonly codeOf?: (error: ServedError) => status
}

/** What services are made with. */
export interface Sessions {
  readonly unary: <I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    handle: (request: MessageShape<I>, info: CallInfo) => Effect.Effect<MessageShape<O>, ServedError>,
  ) => void
  readonly serverStream: <I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    options: StreamOptions<MessageShape<O>>,
    handle: (request: MessageShape<I>, outlet: Outlet.Outlet<Answer<O>>) => Effect.Effect<void, ServedError>,
  ) => void
  /** `handle` begins to serve the call, and gives what is to be done to it when the server closes. */
  readonly bidirectional: <I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    handle: (call: ServerDuplexStream<Received<I>, Answer<O>>) => () => void,
  ) => void
  /** Runs an effect as part of a call. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>, onExit: (exit: Exit.Exit<A, E>) => void) => Fiber.Fiber<A, E>
  /** Refuses new calls and ends the endless ones. */
  readonly close: () => void
  /** Gives up what is still under way. */
  readonly abort: () => void
}

/**
 * @param fork starts a fiber at once
 * @param watch is told of each call
 * @param onDefect told of failures that no call should have
 */
export const make = (
  server: Server,
  fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>,
  watch: CallWatch,
  onDefect: (cause: Cause.Cause<unknown>) => void,
): Sessions => {
  let isClosing = false
  const underWay = new Set<Fiber.Fiber<unknown, unknown>>()
  const onClose = new Set<() => void>()

  const failureStatus = (cause: Cause.Cause<ServedError>, codeOf: (error: ServedError) => status): FailureStatus => {
    const found = Cause.findError(cause)
    if (Result.isSuccess(found)) return toStatus(found.success, codeOf(found.success))
    if (Cause.hasInterruptsOnly(cause)) return toStatus(closing)
    onDefect(cause)
    return unexpected
  }

  const run = <A, E>(effect: Effect.Effect<A, E>, onExit: (exit: Exit.Exit<A, E>) => void): Fiber.Fiber<A, E> => {
    const fiber = fork(effect)
    underWay.add(fiber)
    fiber.addObserver((exit) => {
      underWay.delete(fiber)
      onExit(exit)
    })
    return fiber
  }

  const unary: Sessions["unary"] = <I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    handle: (request: MessageShape<I>, info: CallInfo) => Effect.Effect<MessageShape<O>, ServedError>,
  ) => {
    const answer: handleUnaryCall<Received<I>, MessageShape<O>> = (call, callback) => {
      const { request } = call
      const watched = watch(path(method), "unary", call)
      const fail = (failure: FailureStatus): void => {
        watched.end(failure.code, failure.details)
        callback(failure)
      }
      if (isClosing) return fail(toStatus(closing))
      if (request === malformed) return fail(toStatus(unreadable))
      const work = handle(request, { remainingMillis: () => millisUntil(call.getDeadline()) })
      const fiber = run(watched.within(work), (exit) => {
        if (call.cancelled) return watched.end(status.CANCELLED)
        if (Exit.isFailure(exit)) return fail(failureStatus(exit.cause, statusCode))
        watched.end(status.OK)
        callback(null, exit.value)
      })
      call.on("cancelled", () => fiber.interruptUnsafe())
    }
    server.register(path(method), answer, serializer(method.output), requestReader(method.input), "unary")
  }

  const serverStream: Sessions["serverStream"] = <I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    { weigh, endless, codeOf = statusCode }: StreamOptions<MessageShape<O>>,
    handle: (request: MessageShape<I>, outlet: Outlet.Outlet<Answer<O>>) => Effect.Effect<void, ServedError>,
  ) => {
    const answer: handleServerStreamingCall<Received<I>, Answer<O>> = (call) => {
      const { request } = call
      const watched = watch(path(method), "stream", call)
      const fail = (failure: FailureStatus): void => {
        watched.end(failure.code, failure.details)
        call.emit("error", failure)
      }
      if (isClosing) return fail(toStatus(closing))
      if (request === malformed) return fail(toStatus(unreadable))
      let interrupt: (() => void) | undefined
      const fiber = run(watched.within(handle(request, Outlet.make(call, weigher(weigh)))), (exit) => {
        if (interrupt !== undefined) onClose.delete(interrupt)
        if (call.cancelled) return watched.end(status.CANCELLED)
        if (Exit.isFailure(exit)) return fail(failureStatus(exit.cause, codeOf))
        watched.end(status.OK)
        call.end()
      })
      interrupt = () => fiber.interruptUnsafe()
      call.on("cancelled", interrupt)
      if (endless && fiber.pollUnsafe() === undefined) onClose.add(interrupt)
    }
    server.register(path(method), answer, serializer(method.output), requestReader(method.input), "serverStream")
  }

  const bidirectional: Sessions["bidirectional"] = <I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    handle: (call: ServerDuplexStream<Received<I>, Answer<O>>) => () => void,
  ) => {
    const answer: handleBidiStreamingCall<Received<I>, Answer<O>> = (call) => {
      const watched = watch(path(method), "stream", call)
      call.on("error", (failure: Partial<FailureStatus>) =>
        watched.end(failure.code ?? status.UNKNOWN, failure.details),
      )
      call.on("finish", () => watched.end(status.OK))
      call.on("cancelled", () => watched.end(status.CANCELLED))
      if (isClosing) return void call.emit("error", toStatus(closing))
      const close = handle(call)
      onClose.add(close)
      call.on("cancelled", () => onClose.delete(close))
    }
    server.register(path(method), answer, serializer(method.output), requestReader(method.input), "bidi")
  }

  return {
    unary,
    serverStream,
    bidirectional,
    run,
    close: () => {
      isClosing = true
      for (const action of onClose) action()
      onClose.clear()
    },
    abort: () => {
      for (const fiber of underWay) fiber.interruptUnsafe()
    },
  }
}
