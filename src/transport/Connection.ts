/**
 * One connection: a stream of bytes in both directions, whatever carries it. What pieces the bytes come in means
 * nothing; a WebSocket's messages are such pieces too.
 *
 * It is thin and has callbacks, for every byte of the live plane goes through it; Effect begins around it (`listen`,
 * `dial`).
 */
import type * as Effect from "effect/Effect"
import type { CertificateName } from "../domain/CertificateName.ts"
import type { Kind } from "./Endpoint.ts"
import type { ConnectionLost } from "./errors.ts"

/** Who reads a connection. None of its functions is called while another one runs. */
export interface Reader {
  /** Bytes have come. The memory is the reader's: nobody else changes it. */
  readonly onChunk: (chunk: Uint8Array) => void
  /** Writing may go on, after `write` gave false. */
  readonly onDrain: () => void
  /**
   * The connection is closed, once and after everything else: by either side in order, or with what went wrong. A
   * reader that has paused is told when it resumes, if bytes came before.
   */
  readonly onClose: (error: ConnectionLost | undefined) => void
}

export interface Connection {
  readonly kind: Kind
  /** The peer's address, of which a socket file's peers have none: then it is empty. */
  readonly source: string
  /** The peer's port, where it has one. */
  readonly port: number | undefined
  /** What the peer's certificate is for, where TLS asked it for one; else nothing. */
  readonly peerNames: ReadonlyArray<CertificateName>
  /** Whether bytes can be written: neither side has ended it. */
  readonly isOpen: boolean
  /** Bytes that were written and that the kernel has not yet taken. */
  readonly pendingBytes: number
  /** What has come so far, and what has gone or is to go, with what the transport adds. */
  readonly receivedBytes: number
  readonly sentBytes: number

  /**
   * Gives the connection to a reader, in place of the one before: whatever comes from now on is its, and it is told of
   * the end, also of one that was before. While there is no reader nothing is read, and nothing lost.
   */
  readonly attach: (reader: Reader) => void
  /**
   * Writes bytes, which must not change until they are gone. False: wait for `onDrain` before writing more; they are
   * written all the same. On a connection that is not open nothing happens, false is given, and no `onDrain` comes.
   */
  readonly write: (bytes: Uint8Array) => boolean
  /** Nothing is given to the reader from now on, and the peer finds out that nobody reads. */
  readonly pause: () => void
  readonly resume: () => void
  /**
   * Closes the connection when all that was written is on its way. Nothing more is read. A peer that does not take the
   * bytes, or does not close its side, has some seconds for it (`closeWithin`).
   */
  readonly end: () => void
  /** Closes the connection now; bytes that are pending are lost. What went wrong is told to the reader, if anything. */
  readonly destroy: (error?: ConnectionLost) => void
  /**
   * Bounds what the peer may send from now on: beyond so many bytes the connection is destroyed, after the reader had
   * them. `undefined` lifts the bound. For `handshake.ts`.
   */
  readonly bound: (bytesMax: number | undefined) => void
  /** Succeeds when the connection is closed in order, fails where it is lost. */
  readonly closed: Effect.Effect<void, ConnectionLost>
}
