/** BUS/RT: the exchange over Unix sockets, TCP and WebSockets, for millrace's own clients and for those of busrt. */
export { type BusrtClientOptions, layer as layerExchange } from "./client/layer.ts"
export { type BusrtNodeOptions, layer } from "./client/nodeLayer.ts"
export { list as listClients, type ListedClient } from "./client/clientList.ts"
export type { ReconnectEvent } from "../../transport/reconnecting.ts"
export { type ClientSettings, defaultClientSettings } from "./client/settings.ts"
export { BusrtServer, type BusrtServerOptions, layer as layerServer } from "./server/server.ts"
export { defaultServerSettings, type ServerSettings } from "./server/settings.ts"
export type { Current, TlsDialOptions, TlsListenOptions } from "../../transport/tls.ts"
