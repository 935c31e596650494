/**
 * A connection over a WebSocket of the library `ws`: its binary messages are the pieces of the stream, and it has no
 * other ones.
 */
import type * as net from "node:net"
import type { WebSocket } from "ws"
import { codeOf, ConnectionLost, wordsFor } from "../errors.ts"
import type { Kind } from "../Endpoint.ts"
import { lostBy, textRefused } from "./closeCodes.ts"
import type { CertificateName } from "../../domain/CertificateName.ts"
import { peerNames } from "../tls.ts"
import { ConnectionCore, type CoreOptions } from "./ConnectionCore.ts"
import { sourceOf, tune } from "./SocketConnection.ts"

/** The largest frame of BUS/RT and what is around it: its sender may put it into one message. */
export const messageBytesMaxDefault = 16 * 1024 * 1024 + 64 * 1024

/** How both sides speak: no compression, so that what a peer sends is what is allocated. */
export const webSocketOptions = (messageBytesMax: number, closeWithinMillis: number) => ({
  perMessageDeflate: false,
  // Text is refused, whatever is in it.
  skipUTF8Validation: true,
  maxPayload: messageBytesMax,
  // Ours comes first; this one is for who is refused and for handshakes.
  closeTimeout: closeWithinMillis + 1000,
})

const codeOfText = 1003

export class WebSocketConnection extends ConnectionCore {
  readonly kind: Kind
  readonly source: string
  readonly port: number | undefined
  readonly peerNames: ReadonlyArray<CertificateName>
  readonly #webSocket: WebSocket
  readonly #socket: net.Socket
  #error: Error | undefined
  readonly #afterData = () => this.checkBound()

  /** Takes over a WebSocket that has just been opened, and the socket that carries it. */
  constructor(kind: Kind, webSocket: WebSocket, socket: net.Socket, options: CoreOptions) {
    super(options)
    this.kind = kind
    this.source = sourceOf(socket)
    this.port = socket.remotePort
    this.peerNames = peerNames(socket)
    this.#webSocket = webSocket
    this.#socket = socket
    tune(socket)
    webSocket.pause()
    // Messages in several frames need not be copied together.
    webSocket.binaryType = "fragments"
    webSocket.on("message", (data, isBinary) => {
      if (!isBinary) return this.endWith(textRefused())
      for (const piece of data as ReadonlyArray<Buffer>) this.arrived(piece)
    })
    webSocket.on("error", (error) => {
      this.#error ??= error
    })
    webSocket.on("close", (code, reason) => this.gone(this.#lost(code, reason)))
    socket.on("drain", () => this.drained())
  }

  override get isOpen(): boolean {
    return super.isOpen && this.#webSocket.readyState === this.#webSocket.OPEN
  }

  get pendingBytes(): number {
    return this.#webSocket.bufferedAmount
  }

  get receivedBytes(): number {
    return this.#socket.bytesRead
  }

  get sentBytes(): number {
    return this.#socket.bytesWritten
  }

  /** Counts the socket's bytes: a message that is begun is not given to anybody, and held all the same. */
  override bound(bytesMax: number | undefined): void {
    super.bound(bytesMax)
    this.#socket.off("data", this.#afterData)
    if (bytesMax !== undefined) this.#socket.on("data", this.#afterData)
  }

  protected send(bytes: Uint8Array): boolean {
    this.#webSocket.send(bytes)
    return !this.#socket.writableNeedDrain
  }

  protected stopReading(): void {
    this.#webSocket.pause()
  }

  protected startReading(): void {
    this.#webSocket.resume()
  }

  protected finish(error: ConnectionLost | undefined): void {
    this.#webSocket.close(error === undefined ? 1000 : codeOfText)
  }

  protected abort(): void {
    this.#webSocket.terminate()
  }

  #lost(code: number, reason: Buffer): ConnectionLost | undefined {
    if (this.#error === undefined) return lostBy(code, reason.toString("utf8"))
    const isViolation = codeOf(this.#error)?.startsWith("WS_ERR") === true
    return new ConnectionLost({ reason: isViolation ? "violation" : "broken", message: wordsFor(this.#error) })
  }
}
