/**
 * A server of Node's for each kind of endpoint, which makes connections of whatever comes to it: at once, or when its
 * peer has shown that it speaks TLS or WebSocket.
 */
import * as http from "node:http"
import * as https from "node:https"
import * as net from "node:net"
import type { Duplex } from "node:stream"
import * as tls from "node:tls"
import { WebSocketServer } from "ws"
import type { Endpoint, WebSocketEndpoint } from "../Endpoint.ts"
import { hasJustLeft, wordsFor } from "../errors.ts"
import { type Current, followSettings, serverSettings, type TlsListenOptions } from "../tls.ts"
import type { ConnectionCore, CoreOptions } from "./ConnectionCore.ts"
import { SocketConnection } from "./SocketConnection.ts"
import { WebSocketConnection, webSocketOptions } from "./WebSocketConnection.ts"

export interface AcceptOptions {
  readonly tls: Current<TlsListenOptions> | undefined
  /** The pages that may connect by WebSocket; `*` for any. Programs that are no browsers name none, and may. */
  readonly origins: ReadonlyArray<string>
  readonly messageBytesMax: number
  /** How long a peer may take to become a WebSocket. */
  readonly upgradeMillis: number
  readonly core: CoreOptions
  readonly onConnection: (connection: ConnectionCore) => void
  /** A peer was turned away before it was a connection. */
  readonly onRefused: (why: "origin" | "handshake", peer: net.Socket, reason?: string) => void
}

const headersBytesMax = 8 * 1024

const plainServer = (kind: "unix" | "pipe" | "tcp", { core, onConnection }: AcceptOptions): net.Server =>
  net.createServer({ pauseOnConnect: true }, (socket) => onConnection(new SocketConnection(kind, socket, core)))

const tlsServer = ({ core, onConnection, onRefused, tls: certificate }: AcceptOptions): net.Server => {
  const server = tls.createServer(serverSettings(certificate!), (socket) =>
    onConnection(new SocketConnection("tls", socket, core)),
  )
  server.on("tlsClientError", (cause, socket) => {
    if (!hasJustLeft(cause)) onRefused("handshake", socket, wordsFor(cause))
    // Node tells of a handshake that takes too long, and leaves the rest to us.
    socket.destroy()
  })
  followSettings(server, certificate!)
  return server
}

/** A page that asks for anything but a WebSocket is told so. */
const answerNoWebSocket = (_: http.IncomingMessage, response: http.ServerResponse): void => {
  response.writeHead(426, { "content-type": "text/plain", connection: "close", upgrade: "websocket" })
  response.end("There is a WebSocket here, and nothing else.\n")
}

const webSocketServer = (endpoint: WebSocketEndpoint, options: AcceptOptions): net.Server => {
  const { core, messageBytesMax, onConnection, onRefused, origins, upgradeMillis } = options
  const isSecure = endpoint.kind === "wss"
  const server = isSecure
    ? https.createServer({ ...serverSettings(options.tls!), maxHeaderSize: headersBytesMax }, answerNoWebSocket)
    : http.createServer({ maxHeaderSize: headersBytesMax }, answerNoWebSocket)

  /** Peers that are no WebSockets yet, with what ends their time. */
  const waiting = new WeakMap<Duplex, NodeJS.Timeout>()
  server.on(isSecure ? "secureConnection" : "connection", (socket: net.Socket) => {
    const timer = setTimeout(() => {
      onRefused("handshake", socket)
      socket.destroy()
    }, upgradeMillis)
    waiting.set(socket, timer)
    socket.once("close", () => clearTimeout(timer))
  })
  if (server instanceof https.Server) {
    server.on("tlsClientError", (cause, socket) => {
      if (!hasJustLeft(cause)) onRefused("handshake", socket, wordsFor(cause))
    })
    followSettings(server, options.tls!)
  }

  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    ...webSocketOptions(messageBytesMax, core.closeWithinMillis),
    verifyClient: ({ origin, req }: { origin: string | undefined; req: http.IncomingMessage }, answer) => {
      if ((req.url ?? "").split("?", 1)[0] !== endpoint.path) {
        onRefused("handshake", req.socket)
        return answer(false, 404)
      }
      if (origin !== undefined && !origins.includes(origin) && !origins.includes("*")) {
        onRefused("origin", req.socket)
        return answer(false, 403)
      }
      answer(true)
    },
  })
  server.on("upgrade", (request, socket, head) => {
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      clearTimeout(waiting.get(socket))
      onConnection(new WebSocketConnection(endpoint.kind, webSocket, request.socket, core))
    })
  })
  return server
}

/** A server that does not listen yet. Where the endpoint is secure there has to be a certificate. */
export const makeServer = (endpoint: Endpoint, options: AcceptOptions): net.Server => {
  switch (endpoint.kind) {
    case "unix":
    case "pipe":
    case "tcp":
      return plainServer(endpoint.kind, options)
    case "tls":
      return tlsServer(options)
    case "ws":
    case "wss":
      return webSocketServer(endpoint, options)
  }
}
