/**
 * The exchange of a node elsewhere, over the WebSocket that browsers have. Nothing of Node's is needed here.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { InvalidArgument } from "../../../domain/errors.ts"
import { Exchange } from "../../../exchange/index.ts"
import { type BrowserDialOptions, dial } from "../../../transport/browser.ts"
import { isWebSocket, parse } from "../../../transport/Endpoint.ts"
import { type RemoteOptions, remoteExchange } from "./remoteExchange.ts"

export interface BrowserClientOptions extends BrowserDialOptions, RemoteOptions {
  /** Where the node serves BUS/RT for WebSockets: `ws://HOST:PORT/` or `wss://HOST:PORT/`. */
  readonly url: string
}

/** Each client that connects has a connection of its own. Nothing is connected before. */
export const layer = ({ url, ...options }: BrowserClientOptions): Layer.Layer<Exchange, InvalidArgument> =>
  Layer.effect(
    Exchange,
    Effect.gen(function* () {
      const endpoint = yield* Effect.fromResult(parse(url))
      if (isWebSocket(endpoint)) return remoteExchange(dial(endpoint, options), options)
      const message = `a page connects to ws://HOST:PORT or wss://HOST:PORT, not ${JSON.stringify(url)}`
      return yield* new InvalidArgument({ argument: "url", message })
    }),
  )
