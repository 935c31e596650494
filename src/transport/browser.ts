/**
 * Connecting from a browser, over the WebSocket that it has: the same `Connection` as everywhere. Nothing of Node's is
 * needed here.
 *
 * A browser's WebSocket cannot be paused: what comes while a reader has paused is held, up to a bound. Nor does it tell
 * when its bytes have gone: while too many wait, that is looked at from time to time.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Connection } from "./Connection.ts"
import { format, type WebSocketEndpoint } from "./Endpoint.ts"
import { ConnectionLost, type DialFailed } from "./errors.ts"
import { lostBy, textRefused } from "./internal/closeCodes.ts"
import { type Attempt, connectDefaults, connecting, failed } from "./internal/connecting.ts"
import { ConnectionCore } from "./internal/ConnectionCore.ts"

export interface BrowserDialOptions {
  /** How long it may take to be connected; by default 5 seconds. */
  readonly connectWithin?: Duration.Input | undefined
  /** How long the peer has to take what was written and to close its side, once the connection is ended; 2 seconds. */
  readonly closeWithin?: Duration.Input | undefined
  /** From so many bytes on that wait to be sent, whoever writes is told to wait; by default 1 MiB. */
  readonly pendingBytesMax?: number | undefined
  /** How much is held for a reader that has paused, before the connection is given up; by default 64 MiB. */
  readonly heldBytesMax?: number | undefined
}

export const browserDefaults = {
  ...connectDefaults,
  pendingBytesMax: 1024 * 1024,
  heldBytesMax: 64 * 1024 * 1024,
} as const

/** How often it is looked at whether bytes have gone, while too many wait. */
const lookMillis = 10

/** Pages may close with codes of their own only. */
const codeOfText = 4003

class BrowserConnection extends ConnectionCore {
  readonly kind: "ws" | "wss"
  readonly source: string
  readonly port: number
  /** A page is not told whose certificate it was. */
  readonly peerNames = []
  readonly #webSocket: WebSocket
  readonly #pendingBytesMax: number
  readonly #heldBytesMax: number
  #receivedBytes = 0
  #sentBytes = 0
  #isReading = false
  /** What has come since nobody reads. */
  #heldBytes = 0
  #looking: ReturnType<typeof setInterval> | undefined

  /** Takes over a WebSocket that has just been opened. */
  constructor(endpoint: WebSocketEndpoint, webSocket: WebSocket, options: BrowserDialOptions) {
    super({ closeWithinMillis: Duration.toMillis(options.closeWithin ?? browserDefaults.closeWithin) })
    this.kind = endpoint.kind
    this.source = endpoint.host
    this.port = endpoint.port
    this.#webSocket = webSocket
    this.#pendingBytesMax = options.pendingBytesMax ?? browserDefaults.pendingBytesMax
    this.#heldBytesMax = options.heldBytesMax ?? browserDefaults.heldBytesMax
    webSocket.addEventListener("message", ({ data }: { readonly data: unknown }) => {
      if (data instanceof ArrayBuffer) this.#take(new Uint8Array(data))
      else this.endWith(textRefused())
    })
    webSocket.addEventListener("close", ({ code, reason }) => this.#closed(lostBy(code, reason)))
  }

  override get isOpen(): boolean {
    return super.isOpen && this.#webSocket.readyState === this.#webSocket.OPEN
  }

  get pendingBytes(): number {
    return this.#webSocket.bufferedAmount
  }

  get receivedBytes(): number {
    return this.#receivedBytes
  }

  get sentBytes(): number {
    return this.#sentBytes
  }

  protected send(bytes: Uint8Array): boolean {
    // Nobody writes from memory that is shared with others.
    this.#webSocket.send(bytes as Uint8Array<ArrayBuffer>)
    this.#sentBytes += bytes.byteLength
    if (this.pendingBytes < this.#pendingBytesMax) return true
    this.#looking ??= setInterval(() => {
      if (2 * this.pendingBytes <= this.#pendingBytesMax) this.#hasRoom()
    }, lookMillis)
    return false
  }

  protected stopReading(): void {
    this.#isReading = false
  }

  protected startReading(): void {
    this.#isReading = true
    this.#heldBytes = 0
  }

  protected finish(error: ConnectionLost | undefined): void {
    this.#webSocket.close(error === undefined ? 1000 : codeOfText)
  }

  protected abort(): void {
    this.#webSocket.close()
    // The browser may take its time for a peer that does not answer; here it is over.
    queueMicrotask(() => this.#closed(undefined))
  }

  #take(chunk: Uint8Array): void {
    this.#receivedBytes += chunk.byteLength
    if (!this.#isReading) {
      this.#heldBytes += chunk.byteLength
      if (this.#heldBytes > this.#heldBytesMax) {
        const message = `more than ${this.#heldBytesMax} bytes came while nobody read them`
        return this.destroy(new ConnectionLost({ reason: "overflow", message }))
      }
    }
    this.arrived(chunk)
    this.checkBound()
  }

  #hasRoom(): void {
    this.#stopLooking()
    this.drained()
  }

  #stopLooking(): void {
    clearInterval(this.#looking)
    this.#looking = undefined
  }

  #closed(error: ConnectionLost | undefined): void {
    this.#stopLooking()
    this.gone(error)
  }
}

const attempt =
  (endpoint: WebSocketEndpoint, options: BrowserDialOptions): Attempt =>
  (done, fail) => {
    const name = format(endpoint)
    const webSocket = new WebSocket(name)
    webSocket.binaryType = "arraybuffer"
    let isOpen = false
    webSocket.addEventListener("open", () => {
      isOpen = true
      done(new BrowserConnection(endpoint, webSocket, options))
    })
    webSocket.addEventListener("close", () => {
      if (!isOpen) fail(failed(name, "failed", "no WebSocket could be opened there, and browsers do not tell why"))
    })
    return () => webSocket.close()
  }

/** Connects to a WebSocket, and ends the connection when the scope is closed. */
export const dial = (
  endpoint: WebSocketEndpoint,
  options: BrowserDialOptions = {},
): Effect.Effect<Connection, DialFailed, Scope.Scope> =>
  connecting(format(endpoint), attempt(endpoint, options), options.connectWithin)
