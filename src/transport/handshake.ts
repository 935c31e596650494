/**
 * The time before a protocol has accepted a connection: a peer that nobody knows yet gets little of it, and little
 * memory.
 */
import * as Duration from "effect/Duration"
import type { Connection } from "./Connection.ts"
import { ConnectionLost } from "./errors.ts"

export interface HandshakeOptions {
  /** By default 2 seconds. */
  readonly within?: Duration.Input | undefined
  /** How much the peer may send until then, with what the transport adds; by default 4 KiB. */
  readonly bytesMax?: number | undefined
}

export const handshakeDefaults = { within: "2 seconds", bytesMax: 4096 } as const

/**
 * Destroys a connection whose peer takes too long, or sends too much, before it is accepted. What is given is called
 * when it is: in the call of the reader that finds out, or later. A peer that has sent more behind its handshake is so
 * not blamed for it.
 */
export const begin = (connection: Connection, options: HandshakeOptions = {}): (() => void) => {
  const within = Duration.fromInputUnsafe(options.within ?? handshakeDefaults.within)
  const timer = setTimeout(() => {
    const message = `the peer was not accepted within ${Duration.format(within)}`
    connection.destroy(new ConnectionLost({ reason: "overdue", message }))
  }, Duration.toMillis(within))
  connection.bound(options.bytesMax ?? handshakeDefaults.bytesMax)
  return () => {
    clearTimeout(timer)
    connection.bound(undefined)
  }
}
