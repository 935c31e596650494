/**
 * A node elsewhere, over one URL of its socket: its topics, queues and exchange, as an app in its process would have
 * them.
 */
import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Bridge from "../../../bridge/index.ts"
import type { InvalidArgument } from "../../../domain/errors.ts"
import { type ConnectError, Exchange } from "../../../exchange/index.ts"
import type { Queues } from "../../../queues/index.ts"
import * as Rpc from "../../../rpc/index.ts"
import type { Topics } from "../../../topics/index.ts"
import type { DialOptions } from "../../../transport/dial.ts"
import { parse } from "../../../transport/Endpoint.ts"
import { layer as layerExchange } from "./layer.ts"
import type { ClientSettings } from "./settings.ts"

export interface BusrtNodeOptions extends DialOptions, Bridge.BusOptions {
  /** `unix:PATH`, `tcp:HOST:PORT`, `ws://HOST:PORT`, `tls:` or `wss:`. */
  readonly url: string
  /** The client that asks for topics and queues, whose access rules hold for them; by default a name that nobody else has. */
  readonly name?: string | undefined
  readonly settings?: Partial<ClientSettings> | undefined
}

/**
 * Connects at once, under `name`, and again by itself whenever the connection is lost. Clients of the exchange have
 * connections of their own.
 */
export const layer = ({
  url,
  name = `millrace.${randomUUID()}`,
  timeout,
  reconnectFor,
  settings,
  ...options
}: BusrtNodeOptions): Layer.Layer<Exchange | Topics | Queues, ConnectError | InvalidArgument> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const endpoint = yield* Effect.fromResult(parse(url))
      const bus = { timeout, reconnectFor }
      const durable = Layer.unwrap(
        Effect.gen(function* () {
          const { connect } = yield* Exchange
          const rpc = yield* Rpc.make(yield* connect(name))
          return Layer.merge(Bridge.layerTopics(rpc, bus), Bridge.layerQueues(rpc, bus))
        }),
      )
      return Layer.provideMerge(durable, layerExchange({ endpoint, settings, ...options }))
    }),
  )
