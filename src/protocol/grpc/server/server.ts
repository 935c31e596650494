/**
 * The server: both services on one port.
 *
 * Its scope is its life. Closing stops accepting, ends subscriptions with UNAVAILABLE, lets calls and publishes that
 * are under way be answered within the drain deadline, then closes what is left; nothing of it stays behind.
 */
import { Server, ServerCredentials } from "@grpc/grpc-js"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as http2 from "node:http2"
import * as net from "node:net"
import type { Permissions } from "../../../access/Permissions.ts"
import { Access, open } from "../../../access/Access.ts"
import { guarded as guardedQueues } from "../../../queues/guarded.ts"
import { Queues } from "../../../queues/Queues.ts"
import { noPeers, Replication, syncControl } from "../../../replication/index.ts"
import { Stats } from "../../../stats/Stats.ts"
import { Maintenance } from "../../../storage/Maintenance.ts"
import { guarded as guardedTopics } from "../../../topics/guarded.ts"
import { Journal } from "../../../topics/Journal.ts"
import { Replica } from "../../../topics/Replica.ts"
import { Topics } from "../../../topics/Topics.ts"
import { TopicsSettings } from "../../../topics/TopicsSettings.ts"
import { Admission } from "./Admission.ts"
import * as Callers from "./callers.ts"
import * as CallWatch from "./CallWatch.ts"
import * as CursorsService from "../cursors/cursorsService.ts"
import * as MaintenanceService from "../maintenance/maintenanceService.ts"
import * as contracts from "../codec/contracts.ts"
import * as Health from "./health.ts"
import * as MillraceService from "../topics/topicsService.ts"
import * as MsgbusQueues from "../msgbus/msgbusQueues.ts"
import * as MsgbusService from "../msgbus/msgbusService.ts"
import * as QueuesService from "../queues/queuesService.ts"
import * as ReplicationService from "../replication/replicationService.ts"
import * as Reflection from "./reflection.ts"
import { wordsFor } from "../../../transport/errors.ts"
import * as Refusals from "../../../transport/refusals.ts"
import { type Current, followSettings, type TlsListenOptions } from "../../../transport/tls.ts"
import { SecureServerCredentials } from "./secureServerCredentials.ts"
import * as ServerGauges from "./serverGauges.ts"
import * as Session from "./session.ts"
import * as StatsService from "../stats/statsService.ts"
import * as HeadMoves from "../sync/HeadMoves.ts"
import * as SyncService from "../sync/syncService.ts"

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
    /** `grpc://HOST:PORT`, with TLS `grpcs://HOST:PORT`, for clients. */
    readonly url: string
  }
>()("millrace/protocol/grpc/GrpcServer") {}

export interface GrpcServerOptions {
  /** A host name or an address. */
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  /** The largest message to take, in bytes; by default what the topics take (`TopicsSettings`). */
  readonly maxMessageBytes?: number | undefined
  /** How long calls under way may take when the server closes; by default 5 seconds. */
  readonly drain?: Duration.Input | undefined
  /** Without it everything is plain text. With `clientCa`, only who shows a certificate is let in. */
  readonly tls?: Current<TlsListenOptions> | undefined
  /** Connections at a time, handshakes included; by default 1,024. One more is closed as soon as it is made. */
  readonly maxConnections?: number | undefined
  /** Calls at a time on one connection; by default 1,024. Clients keep back what is more. */
  readonly maxStreams?: number | undefined
  /**
   * A connection that is silent for so long is asked whether it is still there, and closed where no answer comes within
   * a third of it; by default 30 seconds.
   */
  readonly keepAlive?: Duration.Input | undefined
}

export const limitDefaults = { maxConnections: 1024, maxStreams: 1024, keepAlive: "30 seconds" } as const

/** What a request may hold beside a largest message: names, headers' framing, other drafts of its batch. */
const requestRoomBytes = 1024 * 1024

const hostInUrl = (host: string): string => (host.includes(":") && !host.startsWith("[") ? `[${host}]` : host)

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is in use",
  EACCES: "permission denied",
  EADDRNOTAVAIL: "this machine does not have the address",
  ENOTFOUND: "the host is not known",
}

const listenFailed = (address: string, error: NodeJS.ErrnoException): GrpcListenFailed =>
  new GrpcListenFailed({
    address,
    message: `cannot listen on ${address}: ${reasons[error.code ?? ""] ?? error.message}`,
  })

/** Whether the endpoint can be listened on. The gRPC library does not tell why not, and writes to stderr itself. */
const probe = (address: string, { host, port }: GrpcServerOptions): Effect.Effect<void, GrpcListenFailed> =>
  Effect.callback((resume) => {
    const socket = net.createServer()
    socket.on("error", (error) => resume(Effect.fail(listenFailed(address, error))))
    socket.listen({ host: host.replace(/^\[|\]$/g, ""), port }, () => socket.close(() => resume(Effect.void)))
  })

/** Makes a service for each caller's permissions once. */
const forCaller = <Service>(make: Session.ForCaller<Service>): Session.ForCaller<Service> => {
  const made = new WeakMap<Permissions, Service>()
  return (permissions) => {
    let service = made.get(permissions)
    if (service === undefined) made.set(permissions, (service = make(permissions)))
    return service
  }
}

/** How the server speaks. A certificate that does not belong to its key, or is none, is told here. */
const credentialsOf = (
  address: string,
  tls: Current<TlsListenOptions> | undefined,
): Effect.Effect<ServerCredentials, GrpcListenFailed> =>
  tls === undefined
    ? Effect.succeed(ServerCredentials.createInsecure())
    : Effect.try({
        try: () => new SecureServerCredentials(tls),
        catch: (cause) =>
          new GrpcListenFailed({
            address,
            message: `cannot listen on ${address}: the certificate cannot be used: ${wordsFor(cause)}`,
          }),
      })

const listen = Effect.fnUntraced(function* (server: Server, options: GrpcServerOptions) {
  const address = `${hostInUrl(options.host)}:${options.port}`
  const { maxConnections = limitDefaults.maxConnections, tls } = options
  const credentials = yield* credentialsOf(address, tls)
  const bound = Effect.callback<number, GrpcListenFailed>((resume) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error !== null) return resume(Effect.fail(listenFailed(address, error)))
      // The library has no option for it, but Node's servers have.
      for (const http2Server of server["http2Servers"].keys()) {
        http2Server.maxConnections = maxConnections
        if (tls !== undefined) followSettings(http2Server as http2.Http2SecureServer, tls)
      }
      resume(Effect.succeed(port))
    })
  })
  yield* probe(address, options)
  return yield* bound
})

/**
 * Serves `msgbus.v1` and `millrace.v1` on one port, over the topics that it is provided with, and over the queues where
 * they are provided: without them, the methods for queues are UNIMPLEMENTED. So with the node's figures (`Stats`).
 * `Maintenance` is taken where it is provided, and so are access rules (`Access`): without them everybody may do everything.
 */
export const layerServer = (options: GrpcServerOptions): Layer.Layer<GrpcServer, GrpcListenFailed, Topics> =>
  Layer.effect(
    GrpcServer,
    Effect.gen(function* () {
      const topics = yield* Topics
      const { node } = yield* Effect.mapError(
        topics.info,
        (error) => new GrpcListenFailed({ address: `${options.host}:${options.port}`, message: error.message }),
      )
      const messageBytesMax = options.maxMessageBytes ?? (yield* TopicsSettings).messageBytesMax
      const requestBytesMax = messageBytesMax + requestRoomBytes
      const keepAliveMillis = Duration.toMillis(options.keepAlive ?? limitDefaults.keepAlive)
      const context = yield* Effect.context<never>()
      const onDefect = (defect: unknown): void =>
        void Effect.runForkWith(context)(Effect.logError("a gRPC call failed in a way that nobody expected", defect))
      const server = new Server({
        "grpc.max_receive_message_length": requestBytesMax,
        "grpc.max_send_message_length": -1,
        // A client that is gone without a word is noticed, and its subscriptions end.
        "grpc.keepalive_time_ms": keepAliveMillis,
        "grpc.keepalive_timeout_ms": keepAliveMillis / 3,
        "grpc.max_concurrent_streams": options.maxStreams ?? limitDefaults.maxStreams,
        "grpc.enable_channelz": 0,
      })
      const tellRefusal = Refusals.make(context)
      const watch = CallWatch.make(context, tellRefusal)
      const access = Option.getOrElse(yield* Effect.serviceOption(Access), open)
      const sessions = Session.make(server, Effect.runForkWith(context), watch, Callers.make(access), onDefect)
      yield* access.onRevoked(sessions.revoke)
      const admission = new Admission()
      yield* ServerGauges.watch(server, admission, context)
      const topicsOf = forCaller((permissions) => guardedTopics(topics, permissions))
      const replication = Option.getOrElse(yield* Effect.serviceOption(Replication), () => noPeers)
      MsgbusService.register(sessions, { topicsOf, node, admission, replication })
      ReplicationService.register(sessions, syncControl(node, replication))
      const queues = yield* Effect.serviceOption(Queues)
      if (Option.isSome(queues)) {
        const queuesOf = forCaller((permissions) => guardedQueues(queues.value, permissions))
        MsgbusQueues.register(sessions, { queuesOf, node, admission })
        QueuesService.register(sessions, { queuesOf, admission })
      }
      const stats = yield* Effect.serviceOption(Stats)
      if (Option.isSome(stats)) StatsService.register(sessions, stats.value)
      CursorsService.register(sessions, topicsOf)
      const journal = yield* Effect.serviceOption(Journal)
      const replica = yield* Effect.serviceOption(Replica)
      if (Option.isSome(journal) && Option.isSome(replica)) {
        SyncService.register(sessions, { replica: replica.value, moves: yield* HeadMoves.make(journal.value) })
      }
      MaintenanceService.register(sessions, yield* Effect.serviceOption(Maintenance))
      MillraceService.register(sessions, { topicsOf, node, admission, messageBytesMax, requestBytesMax })
      const health = yield* Health.register(
        server,
        contracts.services.map(({ typeName }) => typeName),
        onDefect,
      )
      const closeReflection = Reflection.register(server, onDefect)

      const close = Effect.gen(function* () {
        health.stop()
        const drained = Effect.callback<void>((resume) => {
          // The error that it may tell of is that it was not running.
          server.tryShutdown(() => resume(Effect.void))
          sessions.close()
          health.close()
          closeReflection()
        })
        yield* Effect.timeoutOption(drained, options.drain ?? "5 seconds")
        sessions.abort()
        server.forceShutdown()
      })
      const port = yield* Effect.acquireRelease(listen(server, options), () => close)
      ServerGauges.watchRefused(server, context, tellRefusal)
      const scheme = options.tls === undefined ? "grpc" : "grpcs"
      return GrpcServer.of({ host: options.host, port, url: `${scheme}://${hostInUrl(options.host)}:${port}` })
    }),
  )
