/**
 * The exchange of a node elsewhere, over its socket.
 */
import * as Layer from "effect/Layer"
import { Exchange } from "../../../exchange/index.ts"
import { dial, type DialOptions } from "../../../transport/dial.ts"
import type { Endpoint } from "../../../transport/Endpoint.ts"
import { type RemoteOptions, remoteExchange } from "./remoteExchange.ts"

export interface BusrtClientOptions extends DialOptions, RemoteOptions {
  readonly endpoint: Endpoint
}

/** Each client that connects has a connection of its own. Nothing is connected before. */
export const layer = ({ endpoint, ...options }: BusrtClientOptions): Layer.Layer<Exchange> =>
  Layer.succeed(Exchange, remoteExchange(dial(endpoint, options), options))
