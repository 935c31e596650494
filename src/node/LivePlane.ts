/**
 * The live plane of a node: the exchange, for clients in this process, and its listeners, for all others.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Access } from "../access/Access.ts"
import * as Bridge from "../bridge/index.ts"
import * as Exchange from "../exchange/index.ts"
import type { Queues } from "../queues/index.ts"
import type * as Topics from "../topics/index.ts"
import * as Endpoint from "../transport/Endpoint.ts"
import type { ListenFailed } from "../transport/errors.ts"
import * as BusrtSetting from "./BusrtSetting.ts"
import type { NodeConfig } from "./NodeConfig.ts"
import { TlsFiles } from "./TlsFiles.ts"
import { readVersion } from "./version.ts"

/** The largest frame that is taken, unless messages may be larger. */
const frameBytesMax = 16 * 1024 * 1024

/** What a frame has beside a message: header, names, the topic. */
const frameBytesBeside = 64 * 1024

/** The exchange of a node as configured, tied to its topics and queues, with nothing that listens. */
export const layer = (
  config: NodeConfig,
): Layer.Layer<Exchange.Exchange | Exchange.Router, never, Topics.Topics | Topics.Journal | Queues> =>
  Exchange.layer.pipe(
    // The configuration has no filter that is none.
    Layer.provideMerge(Layer.orDie(Bridge.layer({ durable: config.durable }))),
    Layer.provideMerge(Exchange.Router.layer({ forceRegister: config["force-register"] })),
  )

/** Serves BUS/RT wherever it is to be served, while the scope is open, and is the endpoints. */
export const serve = (
  config: NodeConfig,
  directory: string,
): Effect.Effect<ReadonlyArray<string>, ListenFailed, Exchange.Router | Access | TlsFiles | Scope.Scope> =>
  Effect.gen(function* () {
    if (config.busrt.length === 0) return []
    const endpoints = yield* Effect.forEach(config.busrt, (endpoint) => BusrtSetting.place(endpoint, directory))
    const { BusrtServer, layerServer } = yield* Effect.promise(() => import("../protocol/busrt/index.ts"))
    const bytesMax = Math.max(frameBytesMax, config["max-message"] + frameBytesBeside)
    const services = yield* Layer.build(
      layerServer({
        endpoints,
        tls: (yield* TlsFiles).listen,
        maxConnections: config["max-connections"],
        closeWithin: config.drain,
        origins: config["ws-origin"],
        messageBytesMax: bytesMax + frameBytesBeside,
        settings: {
          frameBytesMax: bytesMax,
          queueFramesMax: config["queue-size"],
          timeoutMillis: Duration.toMillis(config.timeout),
        },
      }),
    )
    // Behind the server, so that its clients still hear that it closes.
    const Broker = yield* Effect.promise(() => import("../broker/index.ts"))
    yield* Layer.build(Layer.orDie(Broker.layer({ author: "millrace", version: readVersion() })))
    return Context.get(services, BusrtServer).endpoints.map(Endpoint.format)
  })
