/**
 * The exchange of a node elsewhere, over its socket.
 */
import * as Layer from "effect/Layer"
import { Exchange } from "../../../exchange/index.ts"
import { dial, type DialOptions } from "../../../transport/dial.ts"
import type { Endpoint } from "../../../transport/Endpoint.ts"
import { remoteExchange } from "./remoteExchange.ts"
import type { ClientSettings } from "./settings.ts"

export interface BusrtClientOptions extends DialOptions {
  readonly endpoint: Endpoint
  readonly settings?: Partial<ClientSettings> | undefined
  /** The name under which it is asked who is connected, for which access rules may have a place; else one is made up. */
  readonly askAs?: string | undefined
}

/** Each client that connects has a connection of its own. Nothing is connected before. */
export const layer = ({ endpoint, settings, askAs, ...options }: BusrtClientOptions): Layer.Layer<Exchange> =>
  Layer.succeed(Exchange, remoteExchange(dial(endpoint, options), settings, askAs))
