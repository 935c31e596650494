/**
 * Connecting to an endpoint.
 *
 * A connection belongs to the scope that it was dialed in. Closing that ends it: what was written goes out, within
 * `closeWithin`.
 */
import type { IncomingMessage } from "node:http"
import * as net from "node:net"
import * as tls from "node:tls"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { WebSocket } from "ws"
import type { Connection } from "./Connection.ts"
import { type Endpoint, format, isWebSocket, type WebSocketEndpoint } from "./Endpoint.ts"
import { codeOf, type DialFailed, onlyOnWindows, wordsFor } from "./errors.ts"
import { type Attempt, connectDefaults, connecting, failed } from "./internal/connecting.ts"
import type { CoreOptions } from "./internal/ConnectionCore.ts"
import { SocketConnection } from "./internal/SocketConnection.ts"
import { messageBytesMaxDefault, WebSocketConnection, webSocketOptions } from "./internal/WebSocketConnection.ts"
import { problem } from "./SocketPath.ts"
import { clientSettings, type Current, type TlsDialOptions } from "./tls.ts"

export interface DialOptions {
  /** How long it may take to be connected; by default 5 seconds. */
  readonly connectWithin?: Duration.Input | undefined
  /** How long the peer has to take what was written and to close its side, once the connection is ended; 2 seconds. */
  readonly closeWithin?: Duration.Input | undefined
  /** For `tls:` and `wss:`; without it those are trusted that Node trusts. */
  readonly tls?: Current<TlsDialOptions> | undefined
  /** The longest message of a WebSocket; by default 16 MiB and a little. */
  readonly messageBytesMax?: number | undefined
}

export const dialDefaults = { ...connectDefaults, messageBytesMax: messageBytesMaxDefault } as const

const reasons: Readonly<Record<string, DialFailed["reason"]>> = {
  EACCES: "not permitted",
  ECONNREFUSED: "refused",
  ECONNRESET: "refused",
  EHOSTUNREACH: "no such place",
  ENETUNREACH: "no such place",
  ENOENT: "no such place",
  ENOTFOUND: "no such place",
  ENOTSOCK: "no such place",
  EPERM: "not permitted",
  ETIMEDOUT: "timed out",
}

/** The other end's certificate, or ours as the other end sees it, is not as it should be. */
const isAboutCertificates = (code: string | undefined): boolean =>
  /CERT|SSL|TLS|ISSUER|SIGNATURE|PURPOSE/.test(code ?? "")

const failedBy = (endpoint: Endpoint, cause: unknown): DialFailed => {
  // Where a name has several addresses, Node tells of all the attempts.
  const one: unknown = cause instanceof AggregateError ? (cause.errors[0] ?? cause) : cause
  const code = codeOf(one)
  return failed(
    format(endpoint),
    isAboutCertificates(code) ? "rejected" : (reasons[code ?? ""] ?? "failed"),
    wordsFor(one),
  )
}

const socketAttempt =
  (endpoint: Exclude<Endpoint, WebSocketEndpoint>, core: CoreOptions, secure: Current<TlsDialOptions>): Attempt =>
  (done, fail) => {
    const at = "path" in endpoint ? { path: endpoint.path } : { host: endpoint.host, port: endpoint.port }
    const isTls = endpoint.kind === "tls"
    const socket = isTls ? tls.connect({ ...clientSettings(endpoint.host, secure), ...at }) : net.connect(at)
    const onError = (cause: Error): void => fail(failedBy(endpoint, cause))
    socket.on("error", onError)
    socket.once(isTls ? "secureConnect" : "connect", () => {
      socket.off("error", onError)
      done(new SocketConnection(endpoint.kind, socket, core))
    })
    return () => socket.destroy()
  }

const webSocketAttempt =
  (endpoint: WebSocketEndpoint, core: CoreOptions, secure: Current<TlsDialOptions>, messageBytesMax: number): Attempt =>
  (done, fail) => {
    const webSocket = new WebSocket(format(endpoint), {
      ...webSocketOptions(messageBytesMax, core.closeWithinMillis),
      ...(endpoint.kind === "wss" ? clientSettings(endpoint.host, secure) : {}),
    })
    let socket: net.Socket | undefined
    const onError = (cause: Error): void => fail(failedBy(endpoint, cause))
    webSocket.on("error", onError)
    webSocket.once("upgrade", (response: IncomingMessage) => {
      socket = response.socket
    })
    webSocket.once("unexpected-response", (_, { statusCode, statusMessage }) => {
      fail(failed(format(endpoint), "rejected", `the answer was ${statusCode} ${statusMessage}, and no WebSocket`))
      webSocket.terminate()
    })
    webSocket.once("open", () => {
      webSocket.off("error", onError)
      done(new WebSocketConnection(endpoint.kind, webSocket, socket!, core))
    })
    // An attempt that is taken back tells of it as an error, which is nobody's any more.
    return () => webSocket.terminate()
  }

const attempt = (endpoint: Endpoint, options: DialOptions): Attempt => {
  const core = { closeWithinMillis: Duration.toMillis(options.closeWithin ?? dialDefaults.closeWithin) }
  return isWebSocket(endpoint)
    ? webSocketAttempt(endpoint, core, options.tls ?? {}, options.messageBytesMax ?? dialDefaults.messageBytesMax)
    : socketAttempt(endpoint, core, options.tls ?? {})
}

/** Connects to an endpoint, and ends the connection when the scope is closed. */
export const dial = (
  endpoint: Endpoint,
  options: DialOptions = {},
): Effect.Effect<Connection, DialFailed, Scope.Scope> =>
  Effect.suspend(() => {
    const name = format(endpoint)
    const tooLong = endpoint.kind === "unix" ? problem(endpoint.path, "dial") : undefined
    if (endpoint.kind === "pipe" && process.platform !== "win32") return failed(name, "no such place", onlyOnWindows)
    if (tooLong !== undefined) return failed(name, "path too long", tooLong)
    return connecting(name, attempt(endpoint, options), options.connectWithin)
  })
