/**
 * Listening at an endpoint.
 *
 * The scope of a listener is its life. Closing it stops accepting, ends the connections that there are, each within
 * `closeWithin`, and leaves nothing behind: no socket, no file, no timer.
 */
import * as net from "node:net"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Connection } from "./Connection.ts"
import { type Endpoint, format, isFile, isSecure } from "./Endpoint.ts"
import { codeOf, type ConnectionLost, ListenFailed, onlyOnWindows, wordsFor } from "./errors.ts"
import { makeServer } from "./internal/accepting.ts"
import { connectDefaults } from "./internal/connecting.ts"
import * as SocketFile from "./internal/SocketFile.ts"
import { type Refusal, Traffic } from "./internal/Traffic.ts"
import { messageBytesMaxDefault } from "./internal/WebSocketConnection.ts"
import * as Refusals from "./refusals.ts"
import type { Current, TlsListenOptions } from "./tls.ts"

export interface ListenOptions {
  /** Connections at a time; by default 1,024. One more is closed as soon as it is made. */
  readonly maxConnections?: number | undefined
  /** How long a peer has to take what was written and to close its side, once a connection is ended; 2 seconds. */
  readonly closeWithin?: Duration.Input | undefined
  /** The permissions of a socket file; by default 0600, for its owner alone. */
  readonly mode?: number | undefined
  /** Needed by `tls:` and `wss:`. */
  readonly tls?: Current<TlsListenOptions> | undefined
  /**
   * The web pages that may connect by WebSocket, as browsers name them (`https://example.com`), or `*` for any; by
   * default none. Programs that are no browsers do not say where they come from, and may.
   */
  readonly origins?: ReadonlyArray<string> | undefined
  /** The longest message of a WebSocket; by default 16 MiB and a little. */
  readonly messageBytesMax?: number | undefined
  /** How long a peer may take to become a WebSocket; by default 2 seconds. */
  readonly upgradeWithin?: Duration.Input | undefined
}

export const listenDefaults = {
  maxConnections: 1024,
  closeWithin: connectDefaults.closeWithin,
  mode: 0o600,
  messageBytesMax: messageBytesMaxDefault,
  upgradeWithin: "2 seconds",
} as const

export interface Listener {
  /** Where it listens: with the port that it has, also where port 0 was asked for. */
  readonly endpoint: Endpoint
  /**
   * The connections that are made, each given to one who asks; it ends when the listener is closed. They belong to the
   * listener's scope, and nothing of them is read before they have a reader.
   */
  readonly connections: Stream.Stream<Connection>
  /**
   * Gives each connection to a handler, in a fiber and a scope of its own. When the handler is done the connection is
   * ended; when it fails in a way that nobody expected, that is logged. A connection that is lost is no failure of it.
   * Runs until the listener is closed and all handlers are done.
   */
  readonly run: <R>(
    handler: (connection: Connection) => Effect.Effect<void, ConnectionLost, R>,
  ) => Effect.Effect<void, never, Exclude<R, Scope.Scope>>
}

const reasons: Readonly<Record<string, ListenFailed["reason"]>> = {
  EACCES: "not permitted",
  EADDRINUSE: "in use",
  EADDRNOTAVAIL: "no such place",
  EAI_AGAIN: "no such place",
  ENOENT: "no such place",
  ENOTFOUND: "no such place",
  EPERM: "not permitted",
}

const failed = (endpoint: Endpoint, reason: ListenFailed["reason"], why: string): ListenFailed =>
  new ListenFailed({ endpoint: format(endpoint), reason, message: `cannot listen on ${format(endpoint)}: ${why}` })

/** Makes a server listen. */
const begin = (server: net.Server, endpoint: Endpoint, at: net.ListenOptions): Effect.Effect<void, ListenFailed> =>
  Effect.callback((resume) => {
    const onError = (cause: Error): void =>
      resume(Effect.fail(failed(endpoint, reasons[codeOf(cause) ?? ""] ?? "failed", wordsFor(cause))))
    server.once("error", onError)
    server.listen(at, () => {
      server.off("error", onError)
      resume(Effect.void)
    })
  })

/** A server that listens, and how its place is given up. */
interface Open {
  readonly server: net.Server
  readonly leave: () => void
}

const open = (endpoint: Endpoint, mode: number, make: () => net.Server): Effect.Effect<Open, ListenFailed> =>
  Effect.gen(function* () {
    const server = yield* Effect.try({
      try: make,
      // A certificate that does not belong to the key, or is none.
      catch: (cause) => failed(endpoint, "no certificate", `the certificate cannot be used: ${wordsFor(cause)}`),
    })
    if (endpoint.kind !== "unix") {
      yield* begin(server, endpoint, isFile(endpoint) ? { path: endpoint.path } : endpoint)
      return { server, leave: () => undefined }
    }
    const file = yield* SocketFile.take(endpoint.path, mode)
    return yield* begin(server, endpoint, { path: file.makingPath }).pipe(
      Effect.andThen(file.publish),
      Effect.as({ server, leave: file.remove }),
      Effect.onError(() =>
        Effect.sync(() => {
          if (server.listening) server.close()
          file.remove()
        }),
      ),
    )
  })

/** The endpoint that a server has in fact. */
const endpointOf = (server: net.Server, asked: Endpoint): Endpoint =>
  isFile(asked) ? asked : { ...asked, port: (server.address() as net.AddressInfo).port }

const sentences: Readonly<Record<Refusal, string>> = {
  limit: "a client was refused: there are as many connections as there may be",
  origin: "a web page was refused: its origin is not among those that may connect",
  handshake: "a client was refused: it did not speak as it should to be connected",
  system: "a client could not be accepted: the system has no room for it",
}

/** Listens until the scope is closed. */
export const listen = Effect.fnUntraced(function* (
  endpoint: Endpoint,
  options: ListenOptions = {},
): Effect.fn.Return<Listener, ListenFailed, Scope.Scope> {
  if (endpoint.kind === "pipe" && process.platform !== "win32") {
    return yield* failed(endpoint, "no such place", onlyOnWindows)
  }
  if (isSecure(endpoint) && options.tls === undefined) {
    return yield* failed(endpoint, "no certificate", "there is no certificate for TLS")
  }
  const services = yield* Effect.context<never>()
  const tell = Refusals.make(services)
  const traffic = new Traffic()
  const queue = yield* Queue.unbounded<Connection, Cause.Done>()
  /** All sockets, also those that are not connections yet. */
  const sockets = new Set<net.Socket>()
  let isClosing = false
  let name = format(endpoint)

  const onRefused = (why: Refusal, peer: Partial<net.Socket> | undefined, reason?: string): void => {
    traffic.refused[why] += 1
    const { remoteAddress = "", remotePort = "" } = peer ?? {}
    const annotations = {
      listener: name,
      peer: `${remoteAddress}:${remotePort}`,
      ...(reason === undefined ? {} : { reason }),
    }
    tell({ kind: why, sentence: sentences[why], annotations })
  }

  /** When the last connection is gone, so is whoever has not become one. */
  const destroyRest = (): void => {
    if (traffic.live.size === 0) for (const socket of sockets) socket.destroy()
  }

  const make = (): net.Server => {
    const server = makeServer(endpoint, {
      tls: options.tls,
      origins: options.origins ?? [],
      messageBytesMax: options.messageBytesMax ?? listenDefaults.messageBytesMax,
      upgradeMillis: Duration.toMillis(options.upgradeWithin ?? listenDefaults.upgradeWithin),
      core: {
        closeWithinMillis: Duration.toMillis(options.closeWithin ?? listenDefaults.closeWithin),
        onGone: (connection) => {
          traffic.gone(connection)
          if (isClosing) destroyRest()
        },
      },
      onConnection: (connection) => {
        if (isClosing) return connection.destroy()
        traffic.opened(connection)
        Queue.offerUnsafe(queue, connection)
      },
      onRefused,
    })
    server.maxConnections = options.maxConnections ?? listenDefaults.maxConnections
    server.on("connection", (socket: net.Socket) => {
      sockets.add(socket)
      socket.once("close", () => sockets.delete(socket))
    })
    server.on("drop", (peer) => onRefused("limit", peer))
    return server
  }

  const close = ({ leave, server }: Open): Effect.Effect<void> =>
    Effect.callback((resume) => {
      isClosing = true
      leave()
      server.close(() => resume(Effect.void))
      Queue.endUnsafe(queue)
      for (const connection of traffic.live) connection.end()
      destroyRest()
    })

  const { server } = yield* Effect.acquireRelease(open(endpoint, options.mode ?? listenDefaults.mode, make), close)
  // What goes wrong from here on concerns one who wanted to connect: there is no memory for a socket, say. Whom Node
  // closes because no file handles are left it does not tell of.
  server.on("error", () => onRefused("system", undefined))
  const actual = endpointOf(server, endpoint)
  name = format(actual)
  yield* traffic.watch(services, name)
  const connections = Stream.fromQueue(queue)
  return { endpoint: actual, connections, run: runWith(connections) }
})

const runWith =
  (connections: Stream.Stream<Connection>): Listener["run"] =>
  (handler) =>
    Effect.gen(function* () {
      const handlers = yield* FiberSet.make<void>()
      yield* Stream.runForEach(connections, (connection) => FiberSet.run(handlers, handle(connection, handler)))
      yield* FiberSet.awaitEmpty(handlers)
    }).pipe(Effect.scoped)

const handle = <R>(
  connection: Connection,
  handler: (connection: Connection) => Effect.Effect<void, ConnectionLost, R>,
): Effect.Effect<void, never, Exclude<R, Scope.Scope>> =>
  Effect.suspend(() => handler(connection)).pipe(
    Effect.scoped,
    Effect.catchCause((cause) =>
      Cause.hasDies(cause)
        ? Effect.logError("the handler of a connection failed in a way that nobody expected", cause)
        : Effect.void,
    ),
    Effect.ensuring(Effect.sync(() => connection.end())),
  )
