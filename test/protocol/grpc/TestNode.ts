/**
 * A node for tests: topics over a memory disk that outlives it, served on a port, to be stopped and started again.
 */
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { Access } from "../../../src/access/index.ts"
import type { NodeId } from "../../../src/domain/NodeId.ts"
import {
  GrpcServer,
  type GrpcServerOptions,
  layerQueues,
  layerServer,
  layerTopics,
} from "../../../src/protocol/grpc/index.ts"
import type { GrpcQueuesOptions, GrpcTopicsOptions } from "../../../src/protocol/grpc/index.ts"
import * as Queues from "../../../src/queues/index.ts"
import { Readiness } from "../../../src/readiness/index.ts"
import * as Memory from "../../../src/storage/memory/index.ts"
import { layer as layerLocalTopics, Topics } from "../../../src/topics/index.ts"

export interface TestNodeOptions extends Partial<GrpcServerOptions> {
  readonly disk?: Memory.MemoryDisk
  readonly node?: NodeId
  readonly readiness?: Readiness["Service"]
  /** By default everybody may do everything. */
  readonly access?: Access["Service"]
  /** Stands between the server and the topics. */
  readonly decorate?: (topics: Topics["Service"]) => Topics["Service"]
}

/** A served node: `Topics` as in its own process, and the server. */
export const layerNode = (options: TestNodeOptions = {}) => {
  const storage = Memory.layer({
    ...(options.disk === undefined ? {} : { disk: options.disk }),
    ...(options.node === undefined ? {} : { node: options.node }),
  })
  const topics = Layer.provide(layerLocalTopics, storage)
  const queues = Layer.provide(Queues.layer, storage)
  const { decorate } = options
  const decorated =
    decorate === undefined
      ? topics
      : Layer.effect(
          Topics,
          Effect.map(Topics, (service) => decorate(service)),
        ).pipe(Layer.provide(topics))
  const server = layerServer({ host: "127.0.0.1", port: 0, ...options }).pipe(
    Layer.provideMerge(queues),
    Layer.provideMerge(decorated),
    Layer.provide(options.access === undefined ? Layer.empty : Layer.succeed(Access, options.access)),
  )
  return options.readiness === undefined ? server : Layer.provide(server, Layer.succeed(Readiness, options.readiness))
}

/** A node's topics as a client sees them, and nothing else of it. */
export const layerRemote = (options: TestNodeOptions = {}, client: Partial<GrpcTopicsOptions> = {}) =>
  Layer.unwrap(
    Effect.map(Layer.build(layerNode(options)), (services) =>
      layerTopics({ url: Context.get(services, GrpcServer).url, ...client }),
    ),
  )

/** A node that tests stop and start, always on the same port and the same disk. */
export interface RestartableNode {
  readonly url: string
  readonly port: number
  readonly topics: () => Topics["Service"]
  readonly queues: () => Queues.Queues["Service"]
  readonly stop: Effect.Effect<void>
  readonly start: Effect.Effect<void>
  /** The same node with another, empty store. */
  readonly replaceDisk: () => void
}

export const restartable = Effect.fnUntraced(function* (options: TestNodeOptions = {}) {
  let disk = Memory.makeDisk()
  let port = 0
  let topics: Topics["Service"] | undefined
  let queues: Queues.Queues["Service"] | undefined
  let scope: Scope.Closeable | undefined
  const stop = Effect.suspend(() => {
    const closing = scope
    scope = undefined
    return closing === undefined ? Effect.void : Scope.close(closing, Exit.void)
  })
  const start = Effect.gen(function* () {
    scope = yield* Scope.make()
    const services = yield* Layer.buildWithScope(Layer.fresh(layerNode({ ...options, port, disk })), scope)
    port = Context.get(services, GrpcServer).port
    topics = Context.get(services, Topics)
    queues = Context.get(services, Queues.Queues)
  }).pipe(Effect.orDie)
  yield* start
  yield* Effect.addFinalizer(() => stop)
  const node: RestartableNode = {
    url: `grpc://127.0.0.1:${port}`,
    port,
    topics: () => topics!,
    queues: () => queues!,
    stop,
    start,
    replaceDisk: () => {
      disk = Memory.makeDisk()
    },
  }
  return node
})

/** A client's queues, for the life of the scope. */
export const connectQueues = (url: string, options: Partial<GrpcQueuesOptions> = {}) =>
  Effect.map(Layer.build(Layer.fresh(layerQueues({ url, ...options }))), (services) =>
    Context.get(services, Queues.Queues),
  )

/** A client's topics, for the life of the scope. */
export const connect = (url: string, options: Partial<GrpcTopicsOptions> = {}) =>
  Effect.map(Layer.build(Layer.fresh(layerTopics({ url, ...options }))), (services) => Context.get(services, Topics))
