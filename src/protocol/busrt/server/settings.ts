/**
 * What can be tuned of a BUS/RT server. Sizes in bytes, times in milliseconds.
 */

export interface SessionSettings {
  /** The largest body of a frame that is taken. */
  readonly frameBytesMax: number
  /** How much waits for one client at most. */
  readonly queueFramesMax: number
  readonly queueBytesMax: number
}

export interface ServerSettings extends SessionSettings {
  /** Clients get something at least every half of it, and are given up after 1.25 times of silence. */
  readonly timeoutMillis: number
  /** What all of the handshake may take. */
  readonly handshakeMillis: number
}

export const defaultServerSettings: ServerSettings = {
  frameBytesMax: 16 * 1024 * 1024,
  queueFramesMax: 8192,
  queueBytesMax: 64 * 1024 * 1024,
  timeoutMillis: 5000,
  handshakeMillis: 2000,
}
