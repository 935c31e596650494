/**
 * A node with rules, with something stored under every topic and in every queue, a cursor for every filter, and a client
 * of every name that notes what reaches it; and all the ways to it.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Access from "../../../src/access/Access.ts"
import type { Permissions } from "../../../src/access/Permissions.ts"
import * as Bridge from "../../../src/bridge/index.ts"
import * as ClientName from "../../../src/domain/ClientName.ts"
import * as Exchange from "../../../src/exchange/index.ts"
import * as Busrt from "../../../src/protocol/busrt/index.ts"
import * as Grpc from "../../../src/protocol/grpc/index.ts"
import * as Queues from "../../../src/queues/index.ts"
import { SyncControl } from "../../../src/replication/index.ts"
import * as Rpc from "../../../src/rpc/index.ts"
import { Stats } from "../../../src/stats/Stats.ts"
import { Maintenance } from "../../../src/storage/Maintenance.ts"
import * as Memory from "../../../src/storage/memory/index.ts"
import * as Topics from "../../../src/topics/index.ts"
import type { Endpoint } from "../../../src/transport/Endpoint.ts"
import type { TlsDialOptions } from "../../../src/transport/tls.ts"
import * as MsgbusClient from "../../interop/MsgbusClient.ts"
import { authority, certificate, type Certificate } from "../../support/certificates.ts"
import { type AdminPlace, adminPaths, nothing } from "./adminPaths.ts"
import type { Where } from "./Cell.ts"
import { cursorOf, type DurablePlace, durablePaths, filters } from "./durablePaths.ts"
import { type LivePlace, livePaths } from "./livePaths.ts"
import * as model from "./model.ts"
import { msgbusPaths } from "./msgbusPaths.ts"
import * as Sync from "./syncPaths.ts"

/** Stands between a principal and the topics, in this process. */
export type Guard = (topics: Topics.Topics["Service"], permissions: Permissions) => Topics.Topics["Service"]

export interface World {
  readonly inProcess: (guard: Guard) => Where<DurablePlace>
  readonly millrace: Where<DurablePlace>
  /** The same, under TLS, as who shows a certificate. */
  readonly millraceSecure: Where<DurablePlace>
  readonly msgbus: Where<MsgbusClient.MsgbusClient>
  readonly sync: Where<Sync.SyncPlace>
  readonly admin: Where<AdminPlace>
  /** The same topics and queues by calls of `.bus`. */
  readonly bus: Where<DurablePlace>
  /** The live plane, in this process and over each kind of socket; under TLS as who shows a certificate. */
  readonly live: ReadonlyArray<Where<LivePlace>>
  /** The marks of everything that was stored, or that reached anybody. */
  readonly marks: Effect.Effect<ReadonlySet<string>>
}

const text = new TextDecoder()

const end = "the end"

/** Notes what reaches a client; gives all of it, once somebody has sent it the end. */
const recording = (client: Exchange.ExchangeClient) =>
  client.inbox.pipe(
    Stream.map(({ payload }) => text.decode(payload)),
    Stream.takeUntil((payload) => payload === end),
    Stream.runCollect,
    Effect.forkScoped,
  )

const names = [...new Set([...model.topics, "a/b%%s", "b%%s"].map(model.nameOf))].filter(
  (name) => ClientName.problem(name) === undefined,
)

/** The gRPC server that has TLS. */
class SecureServer extends Context.Service<SecureServer, Grpc.GrpcServer["Service"]>()("test/SecureServer") {}

const layer = (directory: string) => {
  const storage = Memory.layer()
  const endpoints: ReadonlyArray<Endpoint> = [
    { kind: "unix", path: join(directory, "bus.sock") },
    { kind: "tcp", host: "127.0.0.1", port: 0 },
    { kind: "ws", host: "127.0.0.1", port: 0, path: "/" },
    { kind: "tls", host: "127.0.0.1", port: 0 },
  ]
  const tls = { ...certificate, clientCa: authority.cert }
  return Layer.mergeAll(
    Grpc.layerServer({ host: "127.0.0.1", port: 0 }),
    Layer.effect(SecureServer, Grpc.GrpcServer).pipe(
      Layer.provide(Layer.fresh(Grpc.layerServer({ host: "127.0.0.1", port: 0, tls }))),
    ),
    Busrt.layerServer({ endpoints, tls }),
    Bridge.layer(),
  ).pipe(
    Layer.provideMerge(Layer.mergeAll(Topics.layer, Queues.layer, Exchange.layer)),
    Layer.provideMerge(Exchange.Router.layer()),
    Layer.provideMerge(Access.Access.layerRules(model.rules)),
    Layer.provide(storage),
    Layer.provide(Layer.succeed(Stats, { current: Effect.fail(nothing) })),
    Layer.provide(Layer.succeed(Maintenance, { examine: Stream.fail(nothing), backup: Stream.fail(nothing) })),
  )
}

export const make: Effect.Effect<World, never, Scope.Scope> = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "millrace-access-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
  )
  const services = yield* Layer.build(layer(directory))
  const topics = Context.get(services, Topics.Topics)
  const queues = Context.get(services, Queues.Queues)
  const access = Context.get(services, Access.Access)
  const exchange = Context.get(services, Exchange.Exchange)
  const { url } = Context.get(services, Grpc.GrpcServer)

  const restore = (filter: string) => Effect.orDie(Effect.scoped(topics.holdCursor(cursorOf(filter), filter)))
  for (const topic of model.topics) {
    yield* topics.publish(topic, "stored")
    yield* queues.enqueue(topic, "queued")
  }
  for (const filter of filters) yield* restore(filter)
  // A marker of a deletion, for those who may read it.
  yield* topics.deleteRange("b/b", 1, 1)

  const prober = yield* exchange.connect("prober")
  const listener = yield* exchange.connect("listener")
  yield* listener.subscribe("#")
  const recorders = [listener]
  for (const name of names) recorders.push(yield* exchange.connect(name))
  const recordings = yield* Effect.forEach(recorders, recording)

  const token = (principal: string) => ({ url, token: Redacted.make(model.tokenOf(principal)) })

  const durable = (where: Pick<DurablePlace, "topics" | "queues">): DurablePlace => ({ ...where, restore })

  const inProcess = (guard: Guard): Where<DurablePlace> => ({
    name: "in process",
    paths: durablePaths,
    as: (principal) =>
      Effect.sync(() => {
        const permissions = access.permissionsOf(principal)
        return permissions === undefined
          ? undefined
          : durable({ topics: guard(topics, permissions), queues: Queues.guarded(queues, permissions) })
      }),
  })

  const millrace: Where<DurablePlace> = {
    name: "millrace.v1",
    paths: durablePaths,
    as: (principal) =>
      Effect.map(
        Layer.build(Layer.fresh(Layer.merge(Grpc.layerTopics(token(principal)), Grpc.layerQueues(token(principal))))),
        (remote) => durable({ topics: Context.get(remote, Topics.Topics), queues: Context.get(remote, Queues.Queues) }),
      ).pipe(Effect.orDie),
  }

  const certificates = new Map<string, Certificate>()
  for (const principal of model.principals) {
    const names = [{ type: "dns", value: model.certificateNameOf(principal) }] as const
    certificates.set(principal, yield* Effect.promise(() => authority.issue({ names })))
  }
  const showing = (principal: string) => ({ ca: authority.cert, ...certificates.get(principal) })
  const secureUrl = Context.get(services, SecureServer).url

  const millraceSecure: Where<DurablePlace> = {
    name: "millrace.v1 with a certificate",
    paths: durablePaths,
    as: (principal) => {
      const shown = { url: secureUrl, tls: showing(principal) }
      return Effect.map(
        Layer.build(Layer.fresh(Layer.merge(Grpc.layerTopics(shown), Grpc.layerQueues(shown)))),
        (remote) => durable({ topics: Context.get(remote, Topics.Topics), queues: Context.get(remote, Queues.Queues) }),
      ).pipe(Effect.orDie)
    },
  }

  const msgbus: Where<MsgbusClient.MsgbusClient> = {
    name: "msgbus.v1",
    paths: msgbusPaths,
    as: (principal) => MsgbusClient.make(url.slice("grpc://".length), model.tokenOf(principal)),
  }

  const everywhere = model.topics.map((topic) => ({ topic, payload: "moved" }))
  const sync = Sync.make(url, Effect.orDie(Effect.asVoid(topics.publishAll(everywhere))))

  const admin: Where<AdminPlace> = {
    name: "millrace.v1",
    paths: adminPaths,
    as: (principal) =>
      Effect.map(
        Layer.build(
          Layer.fresh(
            Layer.mergeAll(
              Grpc.layerStats(token(principal)),
              Grpc.layerMaintenance(token(principal)),
              Grpc.layerSync(token(principal)),
            ),
          ),
        ),
        (remote) => ({
          stats: Context.get(remote, Stats),
          maintenance: Context.get(remote, Maintenance),
          sync: Context.get(remote, SyncControl),
        }),
      ).pipe(Effect.orDie),
  }

  const { endpoints } = Context.get(services, Busrt.BusrtServer)

  /** A client over a socket; undefined where it is not let in. */
  const connect = (endpoint: Endpoint, name: string, tls?: TlsDialOptions) =>
    Layer.build(Layer.fresh(Busrt.layerExchange({ endpoint, tls }))).pipe(
      Effect.flatMap((remote) => Context.get(remote, Exchange.Exchange).connect(name)),
      Effect.catchTag("AccessDenied", () => Effect.undefined),
      Effect.orDie,
    )

  const bus: Where<DurablePlace> = {
    name: ".bus",
    paths: durablePaths,
    as: Effect.fnUntraced(function* (principal) {
      const client = yield* connect(endpoints[0]!, model.byBus(principal))
      if (client === undefined) return undefined
      const rpc = yield* Rpc.make(client)
      return durable({ topics: yield* Bridge.makeTopics(rpc), queues: yield* Bridge.makeQueues(rpc) })
    }),
  }

  const overSockets = endpoints.map((endpoint): Where<LivePlace> => ({
    name: `BUS/RT over ${endpoint.kind}`,
    paths: livePaths,
    as: (principal) =>
      Effect.map(
        endpoint.kind === "tls"
          ? connect(endpoint, model.byCertificate(principal), showing(principal))
          : connect(endpoint, principal),
        (client) => (client === undefined ? undefined : { client, prober }),
      ),
  }))

  const inSameProcess: Where<LivePlace> = {
    name: "exchange in process",
    paths: livePaths,
    as: (principal) => {
      const grants = access.permissionsOf(principal)
      if (grants === undefined) return Effect.undefined
      const core = Context.get(services, Exchange.Router)
      return Exchange.connectWith(core, principal, false, { grants }).pipe(
        Effect.map((client) => ({ client, prober })),
        Effect.orDie,
      )
    },
  }

  const stored = Stream.runCollect(
    Stream.takeUntil(topics.subscribe("#", { from: "start" }), (message) => text.decode(message.payload) === end),
  )

  const marks = Effect.gen(function* () {
    yield* topics.publish("a", end)
    const found = new Set((yield* stored).map(({ payload }) => text.decode(payload)))
    for (const { queue } of yield* queues.queues) {
      for (const { payload } of yield* queues.items(queue, { limit: 10_000 })) found.add(text.decode(payload))
    }
    for (const { name } of recorders) yield* prober.send(name, end)
    for (const recorded of yield* Fiber.joinAll(recordings)) for (const payload of recorded) found.add(payload)
    return found
  }).pipe(Effect.orDie)

  return { inProcess, millrace, millraceSecure, msgbus, sync, admin, bus, live: [inSameProcess, ...overSockets], marks }
}).pipe(Effect.orDie)
