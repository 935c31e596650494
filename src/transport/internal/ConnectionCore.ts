/**
 * What all connections have in common: whose turn it is, what is held for a reader that is not there or has paused, and
 * how a connection ends. The carrier (a socket, a WebSocket) is what differs.
 *
 * - A reader gets every byte that came, in order, and then the end; nothing comes in its own call to something here.
 * - Once ended or destroyed here, nothing more is given to the reader but the end.
 * - A reader that throws loses its connection, and nothing else happens to the process.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { CertificateName } from "../../domain/CertificateName.ts"
import type { Connection, Reader } from "../Connection.ts"
import type { Kind } from "../Endpoint.ts"
import { ConnectionLost, wordsFor } from "../errors.ts"

export interface CoreOptions {
  /** How long a peer has to take what was written and to close its side, once the connection is ended. */
  readonly closeWithinMillis: number
  /** Called once, when nothing of the connection is left. */
  readonly onGone?: ((connection: Connection) => void) | undefined
}

export abstract class ConnectionCore implements Connection {
  abstract readonly kind: Kind
  abstract readonly source: string
  abstract readonly port: number | undefined
  abstract readonly peerNames: ReadonlyArray<CertificateName>
  abstract readonly pendingBytes: number
  abstract readonly receivedBytes: number
  abstract readonly sentBytes: number

  /** Hands bytes to the carrier. False: it will call `drained`. */
  protected abstract send(bytes: Uint8Array): boolean
  protected abstract stopReading(): void
  protected abstract startReading(): void
  /** Closes the carrier when everything that was sent is on its way. */
  protected abstract finish(error: ConnectionLost | undefined): void
  /** Closes the carrier now. */
  protected abstract abort(): void

  readonly #options: CoreOptions
  readonly #done = Deferred.makeUnsafe<void, ConnectionLost>()
  #reader: Reader | undefined
  /** Chunks that came while nobody could take them. */
  #held: Array<Uint8Array> = []
  #isPaused = false
  #isFlowScheduled = false
  #wantsDrain = false
  /** Neither side has ended it. */
  #isOpen = true
  /** It was ended here: what comes is thrown away. */
  #isEnding = false
  /** The carrier is closed. */
  #isGone = false
  /** The reader knows of the end. */
  #isTold = false
  #lost: ConnectionLost | undefined
  #defect: { readonly thrown: unknown } | undefined
  #bytesBound = Infinity
  #closeTimer: ReturnType<typeof setTimeout> | undefined

  constructor(options: CoreOptions) {
    this.#options = options
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  get closed(): Effect.Effect<void, ConnectionLost> {
    return Deferred.await(this.#done)
  }

  attach(reader: Reader): void {
    this.#reader = reader
    this.#isTold = false
    if (!this.#isPaused) this.#flowSoon()
  }

  write(bytes: Uint8Array): boolean {
    if (!this.isOpen) return false
    if (this.send(bytes)) return true
    this.#wantsDrain = true
    return false
  }

  pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    if (!this.#isGone && !this.#isEnding) this.stopReading()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#flowSoon()
  }

  end(): void {
    this.endWith(undefined)
  }

  destroy(error?: ConnectionLost): void {
    if (this.#isGone) return this.#discard()
    this.#stop(error)
    this.abort()
  }

  bound(bytesMax: number | undefined): void {
    this.#bytesBound = bytesMax === undefined ? Infinity : this.receivedBytes + bytesMax
  }

  /** Ends the connection, for a reason that the reader is told. */
  protected endWith(error: ConnectionLost | undefined): void {
    if (this.#isGone) return this.#discard()
    if (this.#isEnding) return
    this.#stop(error)
    this.#closeSoon()
    // The peer's end has to be seen.
    this.startReading()
    this.finish(error)
  }

  /** The carrier has bytes of the peer's. */
  protected arrived(chunk: Uint8Array): void {
    if (this.#isEnding) return
    if (this.#reader === undefined || this.#isPaused || this.#held.length > 0) this.#held.push(chunk)
    else this.#give(this.#reader, chunk)
  }

  /** The carrier has read something: whether it was too much is looked at after the reader had it. */
  protected checkBound(): void {
    if (this.#bytesBound === Infinity || this.receivedBytes <= this.#bytesBound) return
    this.destroy(new ConnectionLost({ reason: "violation", message: "the peer sent too much before it was accepted" }))
  }

  protected drained(): void {
    if (!this.#wantsDrain || !this.isOpen || this.#reader === undefined) return
    this.#wantsDrain = false
    try {
      this.#reader.onDrain()
    } catch (thrown) {
      this.#failed(thrown)
    }
  }

  /** The peer sends nothing more: what was written is flushed, and that is the end. */
  protected peerEnded(): void {
    this.#isOpen = false
    this.#closeSoon()
  }

  /** The carrier is closed, and what was wrong with it. */
  protected gone(error: ConnectionLost | undefined): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#isOpen = false
    // What we ended or destroyed is not lost by what that does to the carrier.
    if (!this.#isEnding) this.#lost ??= error
    clearTimeout(this.#closeTimer)
    if (this.#lost !== undefined) this.#held = []
    Deferred.doneUnsafe(
      this.#done,
      this.#defect === undefined
        ? this.#lost === undefined
          ? Effect.void
          : Effect.fail(this.#lost)
        : Effect.die(this.#defect.thrown),
    )
    this.#options.onGone?.(this)
    if (this.#held.length === 0) this.#tell()
  }

  #stop(error: ConnectionLost | undefined): void {
    this.#lost ??= error
    this.#isOpen = false
    this.#isEnding = true
    this.#held = []
  }

  /** Of a connection that is closed, nobody wants what had come before. */
  #discard(): void {
    if (this.#held.length === 0) return
    this.#held = []
    queueMicrotask(() => this.#tell())
  }

  #closeSoon(): void {
    this.#closeTimer ??= setTimeout(
      () =>
        this.destroy(
          new ConnectionLost({ reason: "overdue", message: "the peer did not close the connection in time" }),
        ),
      this.#options.closeWithinMillis,
    )
  }

  /** Goes on reading, with what is held first; not in the call of whoever asks for it. */
  #flowSoon(): void {
    if (this.#held.length === 0 && !this.#isGone) {
      if (this.#reader !== undefined && !this.#isEnding) this.startReading()
      return
    }
    if (this.#isFlowScheduled) return
    this.#isFlowScheduled = true
    queueMicrotask(() => this.#flow())
  }

  #flow(): void {
    this.#isFlowScheduled = false
    while (this.#reader !== undefined && !this.#isPaused && this.#held.length > 0) {
      // It is taken away afterwards: what comes meanwhile has to wait behind it.
      this.#give(this.#reader, this.#held[0]!)
      this.#held.shift()
    }
    if (this.#reader === undefined || this.#isPaused) return
    if (this.#isGone) this.#tell()
    else if (!this.#isEnding) this.startReading()
  }

  #give(reader: Reader, chunk: Uint8Array): void {
    try {
      reader.onChunk(chunk)
    } catch (thrown) {
      this.#failed(thrown)
    }
  }

  #failed(thrown: unknown): void {
    this.#defect ??= { thrown }
    const message = `whoever reads the connection failed: ${wordsFor(thrown)}`
    this.destroy(new ConnectionLost({ reason: "defect", message }))
  }

  #tell(): void {
    if (this.#isTold || this.#reader === undefined) return
    this.#isTold = true
    this.#reader.onClose(this.#lost)
  }
}
