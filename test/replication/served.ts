/** Nodes served over gRPC, and nodes that get from them what they have not. */
import { Context, Deferred, Effect, Fiber, Layer, Stream } from "effect"
import type { Message } from "../../src/domain/Message.ts"
import { GrpcServer, type GrpcServerOptions, layerServer, makePeer } from "../../src/protocol/grpc/index.ts"
import type { PeerSettings, Replication } from "../../src/replication/index.ts"
import { Journal, Replica, Topics } from "../../src/topics/index.ts"
import { replicating, type TestNode } from "./nodes.ts"

export interface ServeOptions extends Partial<GrpcServerOptions> {
  /** Whether it speaks `msgbus.v1` alone, as other implementations do. */
  readonly onlyMsgbus?: boolean
}

/** Serves a node for as long as the scope is open, and is its URL. */
export const serve = ({ journal, replica, topics }: TestNode, { onlyMsgbus = false, ...options }: ServeOptions = {}) =>
  Layer.build(
    Layer.fresh(layerServer({ host: "127.0.0.1", port: 0, drain: "100 millis", ...options })).pipe(
      Layer.provide(Layer.succeed(Topics, topics)),
      Layer.provide(
        onlyMsgbus ? Layer.empty : Layer.merge(Layer.succeed(Journal, journal), Layer.succeed(Replica, replica)),
      ),
    ),
  ).pipe(Effect.map((services) => Context.get(services, GrpcServer).url))

/** Has a node keep up with a peer by its URL. */
export const following = (node: TestNode, url: string, settings: Partial<PeerSettings> = {}) =>
  Effect.flatMap(makePeer({ url }), (peer) => replicating(node, [{ peer, settings }]))

/** Never by itself. */
export const hour = 3_600_000

/** Only what it is told. */
export const unasked: Partial<PeerSettings> = { intervalMillis: hour, relistMillis: hour }

/** Waits for something of replication to be so. */
export const until = <A, E>(look: Effect.Effect<A, E>, isSo: (value: A) => boolean): Effect.Effect<A, E> =>
  Effect.repeat(Effect.delay(look, "5 millis"), { until: isSo })

/** Waits until the peer of a node tells what moves. */
export const telling = ({ peers }: Replication["Service"]) =>
  until(peers, (states) => states.every(({ isTelling }) => isTelling))

/** The payloads that reach a subscriber of a node, once it is live; the fiber ends with so many. */
export const subscriber = ({ topics }: Pick<TestNode, "topics">, filter: string, count: number) =>
  Effect.gen(function* () {
    const live = yield* Deferred.make<void>()
    const fiber = yield* topics
      .subscribe(filter, { onLive: Effect.asVoid(Deferred.succeed(live, undefined)) })
      .pipe(Stream.take(count), Stream.runCollect, Effect.forkScoped)
    yield* Deferred.await(live)
    return Effect.map(Fiber.join(fiber), (messages) => messages.map(text))
  })

export const text = ({ payload }: Pick<Message, "payload">): string => new TextDecoder().decode(payload)
