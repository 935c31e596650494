/**
 * The server: both services on one port.
 *
 * Its scope is its life. Closing stops accepting, ends subscriptions with UNAVAILABLE, lets calls and publishes that
 * are under way be answered within the drain deadline, then closes what is left; nothing of it stays behind.
 */
import { Server, ServerCredentials } from "@grpc/grpc-js"
import { Context, Duration, Effect, Layer, Schema } from "effect"
import { Topics } from "../../topics/Topics.ts"
import { Admission } from "./admission.ts"
import * as MillraceService from "./millraceService.ts"
import * as MsgbusService from "./msgbusService.ts"
import * as Session from "./session.ts"

/** The endpoint could not be listened on. */
export class GrpcListenFailed extends Schema.TaggedError<GrpcListenFailed>("millrace/GrpcListenFailed")(
  "GrpcListenFailed",
  {
    /** `HOST:PORT` as asked for. */
    address: Schema.String,
    message: Schema.String,
  },
) {}

/** A gRPC server that listens. */
export class GrpcServer extends Context.Service<
  GrpcServer,
  {
    readonly host: string
    /** The port that it listens on, also where port 0 was asked for. */
    readonly port: number
    /** `grpc://HOST:PORT`, for clients. */
    readonly url: string
  }
>()("millrace/protocol/grpc/GrpcServer") {}

export interface GrpcServerOptions {
  /** A host name or an address. */
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  /** The largest message to take, in bytes; by default 3.5 MiB, so that every msgbus.v1 peer can take it. */
  readonly maxMessageBytes?: number | undefined
  /** How long calls under way may take when the server closes; by default 5 seconds. */
  readonly drain?: Duration.Input | undefined
}

export const defaultMessageBytesMax = 3_670_016

/** What a request may hold beside a largest message: names, headers' framing, other drafts of its batch. */
const requestRoomBytes = 1024 * 1024

const hostInUrl = (host: string): string => (host.includes(":") && !host.startsWith("[") ? `[${host}]` : host)

const listen = (server: Server, { host, port }: GrpcServerOptions): Effect.Effect<number, GrpcListenFailed> => {
  const address = `${hostInUrl(host)}:${port}`
  return Effect.callback((resume) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) return resume(Effect.succeed(bound))
      const why = error.message.includes("EADDRINUSE")
        ? "the port is in use"
        : error.message.includes("EACCES")
          ? "permission denied"
          : error.message
      resume(Effect.fail(new GrpcListenFailed({ address, message: `cannot listen on ${address}: ${why}` })))
    })
  })
}

/** Serves `msgbus.v1` and `millrace.v1` on one port, over the topics that it is provided with. */
export const layerServer = (options: GrpcServerOptions): Layer.Layer<GrpcServer, GrpcListenFailed, Topics> =>
  Layer.effect(
    GrpcServer,
    Effect.gen(function* () {
      const topics = yield* Topics
      const { node } = yield* Effect.mapError(
        topics.info,
        (error) => new GrpcListenFailed({ address: `${options.host}:${options.port}`, message: error.message }),
      )
      const messageBytesMax = options.maxMessageBytes ?? defaultMessageBytesMax
      const requestBytesMax = messageBytesMax + requestRoomBytes
      const context = yield* Effect.context<never>()
      const server = new Server({
        "grpc.max_receive_message_length": requestBytesMax,
        "grpc.max_send_message_length": -1,
        // A client that is gone without a word is noticed, and its subscriptions end.
        "grpc.keepalive_time_ms": 30_000,
        "grpc.keepalive_timeout_ms": 10_000,
        "grpc.enable_channelz": 0,
      })
      const sessions = Session.make(server, Effect.runForkWith(context), (cause) =>
        Effect.runForkWith(context)(Effect.logError("a gRPC call failed in a way that nobody expected", cause)),
      )
      const admission = new Admission()
      MsgbusService.register(sessions, { topics, node, admission })
      MillraceService.register(sessions, { topics, node, admission, messageBytesMax, requestBytesMax })

      const close = Effect.gen(function* () {
        const drained = Effect.callback<void>((resume) => {
          // The error that it may tell of is that it was not running.
          server.tryShutdown(() => resume(Effect.void))
          sessions.close()
        })
        yield* Effect.timeoutOption(drained, options.drain ?? "5 seconds")
        sessions.abort()
        server.forceShutdown()
      })
      const port = yield* Effect.acquireRelease(listen(server, options), () => close)
      return GrpcServer.of({ host: options.host, port, url: `grpc://${hostInUrl(options.host)}:${port}` })
    }),
  )
