/**
 * A node, put together from its configuration: storage, topics and queues, readiness, admin endpoint, gRPC,
 * `endpoints.json`, in this order; closing the scope takes it apart in the opposite one. Nothing of it stays behind.
 *
 * What a configuration does not ask for is not even loaded: starting is mostly reading code.
 */
import { resolve } from "node:path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { Access } from "../access/Access.ts"
import type { StorageFailed, StoreUnusable } from "../domain/errors.ts"
import * as NodeId from "../domain/NodeId.ts"
import type * as Exchange from "../exchange/index.ts"
import type { GrpcListenFailed } from "../protocol/grpc/index.ts"
import * as Queues from "../queues/index.ts"
import * as Readiness from "../readiness/index.ts"
import { Replication } from "../replication/index.ts"
import type { StoreServices } from "../storage/Stores.ts"
import * as Topics from "../topics/index.ts"
import type { ListenFailed } from "../transport/errors.ts"
import { AdminServer } from "./AdminServer.ts"
import * as AccessFile from "./AccessFile.ts"
import type { ConfigInvalid } from "./ConfigInvalid.ts"
import * as DataDirectory from "./DataDirectory.ts"
import * as EndpointsFile from "./EndpointsFile.ts"
import * as LivePlane from "./LivePlane.ts"
import * as NodeStats from "./NodeStats.ts"
import type { NodeConfig } from "./NodeConfig.ts"
import * as Peers from "./Peers.ts"
import { type NodeReport, RunningNode } from "./RunningNode.ts"
import type { StartFailed } from "./StartFailed.ts"
import * as Storage from "./Storage.ts"
import * as StorageSetting from "./StorageSetting.ts"
import * as TlsFiles from "./TlsFiles.ts"

/** Why a node does not start. Each has a message of one sentence. */
export type NodeError = StoreUnusable | StorageFailed | StartFailed | ConfigInvalid | GrpcListenFailed | ListenFailed

/** The topics again, whose `check` says what the node says of itself; it is starting now. */
const topicsOfNode = Layer.effect(
  Topics.Topics,
  Effect.gen(function* () {
    const topics = yield* Topics.Topics
    const readiness = yield* Readiness.Readiness
    yield* readiness.hold("starting")
    return Topics.Topics.of({ ...topics, check: readiness.check })
  }),
)

/** The topics and queues of a node as configured, and whether they can be used, with nothing that listens. */
const servicesLayer = (
  config: NodeConfig,
  { stores }: Storage.NodeStorage,
): Layer.Layer<
  | Topics.Topics
  | Topics.Journal
  | Topics.Replica
  | Topics.Subscribers
  | Queues.Queues
  | Readiness.Readiness
  | StoreServices,
  StoreUnusable | StorageFailed | StartFailed
> => {
  const bytesMax = config["max-message"]
  const topics = Layer.provide(
    Topics.layer,
    Layer.succeed(Topics.TopicsSettings, { ...Topics.defaultTopicsSettings, messageBytesMax: bytesMax }),
  )
  const queues = Layer.provide(
    Queues.layer,
    Layer.succeed(Queues.QueuesSettings, { ...Queues.defaultQueuesSettings, itemBytesMax: bytesMax }),
  )
  const readiness = Layer.provide(
    Readiness.layer,
    Layer.succeed(Readiness.ReadinessSettings, { stallMillis: Duration.toMillis(config["stall-after"]) }),
  )
  return topicsOfNode.pipe(
    Layer.provideMerge(Layer.mergeAll(topics, queues, readiness)),
    Layer.provideMerge(Readiness.watched(stores)),
  )
}

/** Serves gRPC, if it is to be served, and is the URL. */
const startGrpc = (config: NodeConfig) =>
  Effect.gen(function* () {
    if (config.grpc === "off") return undefined
    const { listen } = yield* TlsFiles.TlsFiles
    const { GrpcServer, layerServer } = yield* Effect.promise(() => import("../protocol/grpc/index.ts"))
    const services = yield* Layer.build(
      layerServer({
        ...config.grpc,
        tls: listen,
        maxMessageBytes: config["max-message"],
        maxConnections: config["max-connections"],
        maxStreams: config["max-streams"],
        keepAlive: config["keep-alive"],
        drain: config.drain,
      }),
    )
    return yield* Effect.provideContext(
      Effect.map(GrpcServer, ({ url }) => url),
      services,
    )
  })

const startControl = (config: NodeConfig) =>
  Effect.gen(function* () {
    if (config["control-fifo"] === "off") return
    const ControlFifo = yield* Effect.promise(() => import("./ControlFifo.ts"))
    // Nobody else has its name.
    yield* Effect.catchIf(
      ControlFifo.serve(config["control-fifo"]),
      (error) => error._tag !== "StartFailed",
      Effect.die,
    )
  })

/** What clients on this machine need to know of TLS, where there is some. */
const tlsOf = (config: NodeConfig): Pick<EndpointsFile.Endpoints, "tls"> =>
  config["tls-cert"] === "off"
    ? {}
    : { tls: { certificate: resolve(config["tls-cert"]), asksClients: config["tls-client-ca"] !== "off" } }

/** Waits for what this node has published and lost: whoever publishes before could give an offset a second time. */
const recovered = (atMost: Duration.Duration) =>
  Effect.gen(function* () {
    const replication = yield* Replication
    const telling = Effect.logInfo(
      `the store is new: waiting at most ${Duration.format(atMost)} for peers that have what this node has published before`,
    )
    yield* Effect.raceFirst(
      replication.recovered,
      Effect.andThen(Effect.sleep("200 millis"), Effect.andThen(telling, Effect.never)),
    )
  })

const start = Effect.fnUntraced(function* (config: NodeConfig, directory: string, place: StorageSetting.PlacedStorage) {
  const admin = yield* AdminServer
  const readiness = yield* Readiness.Readiness
  yield* recovered(config["heal-wait"])
  // Each has the whole time to drain.
  const scope = yield* Effect.flatMap(Effect.scope, (own) => Scope.fork(own, "parallel"))
  const ofItsOwn = <A, E, R>(started: Effect.Effect<A, E, R>) =>
    Effect.flatMap(Scope.fork(scope, "sequential"), (own) => Scope.provide(started, own))
  const grpc = yield* startGrpc(config).pipe(ofItsOwn)
  const busrt = yield* LivePlane.serve(config, directory).pipe(ofItsOwn)
  yield* startControl(config)
  const listeners = {
    ...(grpc === undefined ? {} : { grpc }),
    ...(busrt.length === 0 ? {} : { busrt }),
    ...(admin.url === undefined ? {} : { admin: admin.url }),
  }
  const node = NodeId.format(config.node)
  yield* EndpointsFile.publish(directory, { node, ...listeners, ...tlsOf(config) })
  yield* Effect.acquireRelease(readiness.hold(undefined), () => readiness.hold("stopping"))
  const report: NodeReport = {
    node,
    ...listeners,
    data: directory,
    storage: StorageSetting.format(place),
    durability: config.durability,
  }
  return RunningNode.of(report)
})

/** Files that cannot be used are told before anything is made. */
const prepare = Effect.fnUntraced(function* (config: NodeConfig) {
  const rules = yield* AccessFile.read(config.access)
  const tls = yield* TlsFiles.readAll(config)
  return { rules, tls, directory: yield* DataDirectory.prepare(config.data) }
})

/** A running node, and its topics, queues and exchange for use in the same process. */
export const layer = (
  config: NodeConfig,
): Layer.Layer<
  RunningNode | Access | Topics.Topics | Queues.Queues | Readiness.Readiness | Exchange.Exchange | Exchange.Router,
  NodeError
> =>
  Layer.unwrap(
    Effect.map(prepare(config), ({ directory, rules, tls }) => {
      const place = StorageSetting.place(config.storage, directory)
      const storage = Storage.make(place, config)
      return Layer.effect(RunningNode, start(config, directory, place)).pipe(
        Layer.provide(AdminServer.layer(config.admin)),
        Layer.provide(storage.maintenance ?? Layer.empty),
        Layer.provideMerge(AccessFile.layer(rules)),
        Layer.provideMerge(
          NodeStats.layer({ node: config.node, sizes: storage.sizes, isExported: config.otlp !== "off" }),
        ),
        Layer.provideMerge(Peers.layer(config)),
        Layer.provide(TlsFiles.layer(tls)),
        Layer.provideMerge(LivePlane.layer(config)),
        Layer.provideMerge(servicesLayer(config, storage)),
      )
    }),
  )
