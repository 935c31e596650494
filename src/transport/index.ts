/**
 * Streams of bytes between processes: endpoints, listening, dialing. Unix sockets, named pipes, TCP, WebSockets, and the
 * last two under TLS.
 */
export * from "./Connection.ts"
export { dial, dialDefaults, type DialOptions } from "./dial.ts"
export * as Endpoint from "./Endpoint.ts"
export { ConnectionLost, DialFailed, ListenFailed } from "./errors.ts"
export * as Exposure from "./exposure.ts"
export * as Handshake from "./handshake.ts"
export { listen, listenDefaults, type Listener, type ListenOptions } from "./listen.ts"
export { defaultSchedule, reconnecting, type ReconnectEvent, type ReconnectOptions } from "./reconnecting.ts"
export * as SocketPath from "./SocketPath.ts"
export type { Current, TlsDialOptions, TlsListenOptions } from "./tls.ts"
