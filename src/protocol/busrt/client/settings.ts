/**
 * What can be tuned of a BUS/RT client. Sizes in bytes, times in milliseconds.
 */

export interface ClientSettings {
  /** The largest body of a frame that is taken. */
  readonly frameBytesMax: number
  /** What all of the handshake may take. */
  readonly handshakeMillis: number
  /** How often the server is told that the client is there. */
  readonly pingMillis: number
  /** A server of which nothing is heard for so long is given up, and connected to again. */
  readonly silenceMillisMax: number
  /** Between two attempts to connect again: the first time, and at most. */
  readonly reconnectMillis: number
  readonly reconnectMillisMax: number
  /** How long an operation waits for the connection to be there again. */
  readonly offlineMillisMax: number
  /** Operations that wait for their acks, at most. */
  readonly inFlightMax: number
}

export const defaultClientSettings: ClientSettings = {
  frameBytesMax: 16 * 1024 * 1024,
  handshakeMillis: 5000,
  pingMillis: 1000,
  silenceMillisMax: 10_000,
  reconnectMillis: 50,
  reconnectMillisMax: 2000,
  offlineMillisMax: 5000,
  inFlightMax: 16_384,
}
