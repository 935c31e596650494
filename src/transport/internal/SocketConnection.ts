/** A connection over a socket of Node's: a Unix socket, a named pipe, TCP, TLS. */
import type * as net from "node:net"
import { ConnectionLost, wordsFor } from "../errors.ts"
import type { Kind } from "../Endpoint.ts"
import type { CertificateName } from "../../domain/CertificateName.ts"
import { peerNames } from "../tls.ts"
import { ConnectionCore, type CoreOptions } from "./ConnectionCore.ts"

/** The kernel asks a silent peer for a sign of life after so long. */
const keepAliveMillis = 30_000

/** Settings that only TCP has; elsewhere they do nothing. */
export const tune = (socket: net.Socket): void => {
  socket.setNoDelay(true)
  socket.setKeepAlive(true, keepAliveMillis)
}

/** A peer's address, an IPv4 one as such, also where it came to a socket of IPv6. */
export const sourceOf = ({ remoteAddress = "" }: net.Socket): string =>
  remoteAddress.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "")

export class SocketConnection extends ConnectionCore {
  readonly kind: Kind
  readonly source: string
  readonly port: number | undefined
  readonly peerNames: ReadonlyArray<CertificateName>
  readonly #socket: net.Socket
  #error: Error | undefined

  /** Takes over a socket that is connected, and that nobody has read from. */
  constructor(kind: Kind, socket: net.Socket, options: CoreOptions) {
    super(options)
    this.kind = kind
    this.source = sourceOf(socket)
    this.port = socket.remotePort
    this.peerNames = peerNames(socket)
    this.#socket = socket
    if (kind === "tcp" || kind === "tls") tune(socket)
    // A listener for data would set it flowing.
    socket.pause()
    socket.on("data", (chunk: Buffer) => {
      this.arrived(chunk)
      this.checkBound()
    })
    socket.on("drain", () => this.drained())
    socket.on("end", () => this.peerEnded())
    socket.on("error", (error) => {
      this.#error ??= error
    })
    socket.on("close", () => this.gone(this.#lost()))
  }

  get pendingBytes(): number {
    return this.#socket.writableLength
  }

  get receivedBytes(): number {
    return this.#socket.bytesRead
  }

  get sentBytes(): number {
    return this.#socket.bytesWritten
  }

  protected send(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes)
  }

  protected stopReading(): void {
    this.#socket.pause()
  }

  protected startReading(): void {
    this.#socket.resume()
  }

  protected finish(): void {
    this.#socket.end()
  }

  protected abort(): void {
    this.#socket.destroy()
  }

  #lost(): ConnectionLost | undefined {
    if (this.#error === undefined) return undefined
    return new ConnectionLost({ reason: "broken", message: wordsFor(this.#error) })
  }
}
