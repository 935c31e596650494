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
import * as Permissions from "../../../access/Permissions.ts"
import { InvalidArgument, Unavailable } from "../../../domain/errors.ts"
import type { CallWatch } from "./CallWatch.ts"
import type { IdentifyCaller } from "./callers.ts"
import { millisUntil } from "../codec/deadlines.ts"
import { type FailureStatus, statusCode, toStatus, type ServedError } from "../codec/errorCodec.ts"
import * as Outlet from "./outlet.ts"
import { type Answer, malformed, path, requestReader, serializer, weigher } from "../codec/wire.ts"

/** A request, or what was left of one that could not be read. */
export type Received<D extends DescMessage> = MessageShape<D> | typeof malformed

/** What those calls are told that were opened under other access rules; who may comes back. */
const revoked = new Unavailable({
  message: "the access rules have changed, or the client was disconnected: call again",
})

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

/** May do nothing; for calls that are answered to everybody. */
const nobody = Permissions.make("", {})

/** The circumstances of a call. */
export interface CallInfo {
  /** Milliseconds until the client's deadline; infinite where it set none. */
  readonly remainingMillis: () => number
  /** What the caller may do. */
  readonly permissions: Permissions.Permissions
}

export interface UnaryOptions {
  /** Answered to everybody, also to those who may not connect: with what tells nothing but whether the node is there. */
  readonly isOpen?: boolean
}

/** A service as the caller may use it. */
export type ForCaller<Service> = (permissions: Permissions.Permissions) => Service

/** Ends a call that is under way, for the reason that is given. */
export type EndCall = (reason: Unavailable) => void

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
    options?: UnaryOptions,
  ) => void
  readonly serverStream: <I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    options: StreamOptions<MessageShape<O>>,
    handle: (
      request: MessageShape<I>,
      outlet: Outlet.Outlet<Answer<O>>,
      permissions: Permissions.Permissions,
    ) => Effect.Effect<void, ServedError>,
  ) => void
  /** `handle` begins to serve the call, and gives what ends it. */
  readonly bidirectional: <I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    handle: (call: ServerDuplexStream<Received<I>, Answer<O>>, permissions: Permissions.Permissions) => EndCall,
  ) => void
  /** Runs an effect as part of a call. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>, onExit: (exit: Exit.Exit<A, E>) => void) => Fiber.Fiber<A, E>
  /** Refuses new calls and ends the endless ones. */
  readonly close: () => void
  /** Ends the streams of a principal. */
  readonly revoke: (principal: string) => void
  /** Gives up what is still under way. */
  readonly abort: () => void
}

/** A stream that is open. */
interface OpenStream {
  readonly principal: string
  readonly end: EndCall
}

/**
 * @param fork starts a fiber at once
 * @param watch is told of each call
 * @param identify tells who calls
 * @param onDefect told of failures that no call should have
 */
export const make = (
  server: Server,
  fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>,
  watch: CallWatch,
  identify: IdentifyCaller,
  onDefect: (cause: Cause.Cause<unknown>) => void,
): Sessions => {
  let isClosing = false
  const underWay = new Set<Fiber.Fiber<unknown, unknown>>()
  const streams = new Set<OpenStream>()

  const failureStatus = (
    cause: Cause.Cause<ServedError>,
    codeOf: (error: ServedError) => status,
    interruptedFor = closing,
  ): FailureStatus => {
    const found = Cause.findError(cause)
    if (Result.isSuccess(found)) return toStatus(found.success, codeOf(found.success))
    if (Cause.hasInterruptsOnly(cause)) return toStatus(interruptedFor)
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
    { isOpen = false }: UnaryOptions = {},
  ) => {
    const answer: handleUnaryCall<Received<I>, MessageShape<O>> = (call, callback) => {
      const { request } = call
      const watched = watch(path(method), "unary", call)
      const fail = (failure: FailureStatus): void => {
        watched.end(failure.code, failure.details)
        callback(failure)
      }
      if (isClosing) return fail(toStatus(closing))
      const permissions = isOpen ? nobody : identify(call)
      if ("_tag" in permissions) return fail(toStatus(permissions))
      if (request === malformed) return fail(toStatus(unreadable))
      const work = handle(request, { remainingMillis: () => millisUntil(call.getDeadline()), permissions })
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
    handle: (
      request: MessageShape<I>,
      outlet: Outlet.Outlet<Answer<O>>,
      permissions: Permissions.Permissions,
    ) => Effect.Effect<void, ServedError>,
  ) => {
    const answer: handleServerStreamingCall<Received<I>, Answer<O>> = (call) => {
      const { request } = call
      const watched = watch(path(method), "stream", call)
      const fail = (failure: FailureStatus): void => {
        watched.end(failure.code, failure.details)
        call.emit("error", failure)
      }
      if (isClosing) return fail(toStatus(closing))
      const permissions = identify(call)
      if ("_tag" in permissions) return fail(toStatus(permissions))
      if (request === malformed) return fail(toStatus(unreadable))
      let interruptedFor: Unavailable | undefined
      let stream: OpenStream | undefined
      const work = handle(request, Outlet.make(call, weigher(weigh)), permissions)
      const fiber = run(watched.within(work), (exit) => {
        if (stream !== undefined) streams.delete(stream)
        if (call.cancelled) return watched.end(status.CANCELLED)
        if (Exit.isFailure(exit)) return fail(failureStatus(exit.cause, codeOf, interruptedFor))
        watched.end(status.OK)
        call.end()
      })
      call.on("cancelled", () => fiber.interruptUnsafe())
      if (!endless || fiber.pollUnsafe() !== undefined) return
      stream = {
        principal: permissions.principal,
        end: (reason) => {
          interruptedFor = reason
          fiber.interruptUnsafe()
        },
      }
      streams.add(stream)
    }
    server.register(path(method), answer, serializer(method.output), requestReader(method.input), "serverStream")
  }

  const bidirectional: Sessions["bidirectional"] = <I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    handle: (call: ServerDuplexStream<Received<I>, Answer<O>>, permissions: Permissions.Permissions) => EndCall,
  ) => {
    const answer: handleBidiStreamingCall<Received<I>, Answer<O>> = (call) => {
      const watched = watch(path(method), "stream", call)
      call.on("error", (failure: Partial<FailureStatus>) =>
        watched.end(failure.code ?? status.UNKNOWN, failure.details),
      )
      call.on("finish", () => watched.end(status.OK))
      call.on("cancelled", () => watched.end(status.CANCELLED))
      if (isClosing) return void call.emit("error", toStatus(closing))
      const permissions = identify(call)
      if ("_tag" in permissions) return void call.emit("error", toStatus(permissions))
      const stream: OpenStream = { principal: permissions.principal, end: handle(call, permissions) }
      streams.add(stream)
      call.on("cancelled", () => streams.delete(stream))
    }
    server.register(path(method), answer, serializer(method.output), requestReader(method.input), "bidi")
  }

  const endStreams = (isMeant: (stream: OpenStream) => boolean, reason: Unavailable): void => {
    for (const stream of streams) {
      if (!isMeant(stream)) continue
      streams.delete(stream)
      stream.end(reason)
    }
  }

  return {
    unary,
    serverStream,
    bidirectional,
    run,
    close: () => {
      isClosing = true
      endStreams(() => true, closing)
    },
    revoke: (principal) => endStreams((stream) => stream.principal === principal, revoked),
    abort: () => {
      for (const fiber of underWay) fiber.interruptUnsafe()
    },
  }
}
