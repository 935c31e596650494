/**
 * A node's services under TLS, with something stored that only one principal may read, who is known by its certificate;
 * and those who try to read it: by means that share nothing with our clients where the handshake is meant to fail.
 */
import * as http2 from "node:http2"
import type * as net from "node:net"
import * as tls from "node:tls"
import { Context, Deferred, Effect, Fiber, Layer, Stream } from "effect"
import { WebSocket } from "ws"
import { Access, make as makeAccess, type ReplaceableAccess } from "../../src/access/Access.ts"
import type { AccessRules } from "../../src/access/AccessRules.ts"
import * as Bridge from "../../src/bridge/index.ts"
import * as Exchange from "../../src/exchange/index.ts"
import * as Busrt from "../../src/protocol/busrt/index.ts"
import * as Grpc from "../../src/protocol/grpc/index.ts"
import * as Queues from "../../src/queues/index.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Topics from "../../src/topics/index.ts"
import * as Endpoint from "../../src/transport/Endpoint.ts"
import type { Current, TlsDialOptions, TlsListenOptions } from "../../src/transport/tls.ts"
import { authority, certificate } from "../support/certificates.ts"

export const secret = "the data of the service"

export const device = "device.example.org"
export const other = "other.example.org"

export const rules: AccessRules = {
  principals: {
    device: { certificates: [device], send: "any", subscribe: "any" },
    other: { certificates: [other], send: "any", subscribe: "any" },
  },
}

export const kinds = ["grpc", "tls", "wss"] as const
export type Kind = (typeof kinds)[number]

export interface Service {
  readonly port: (kind: Kind) => number
  readonly url: (kind: Kind) => string
  readonly access: ReplaceableAccess
  readonly topics: Topics.Topics["Service"]
}

const host = "127.0.0.1"

/** Serves until the scope closes; to who shows a certificate, unless said otherwise. */
export const serve = Effect.fnUntraced(function* (
  listen: Current<TlsListenOptions> = { ...certificate, clientCa: authority.cert },
  limits: { readonly maxConnections?: number } = {},
) {
  const access = makeAccess(rules)
  const endpoints = [
    { kind: "tls", host, port: 0 },
    { kind: "wss", host, port: 0, path: "/" },
  ] as const
  const services = yield* Layer.build(
    Layer.mergeAll(
      Grpc.layerServer({ host, port: 0, tls: listen, ...limits }),
      Busrt.layerServer({ endpoints, tls: listen, closeWithin: "100 millis", ...limits }),
      Bridge.layer(),
    ).pipe(
      Layer.provideMerge(Layer.mergeAll(Topics.layer, Queues.layer, Exchange.layer)),
      Layer.provideMerge(Exchange.Router.layer()),
      Layer.provideMerge(Layer.succeed(Access, access.access)),
      Layer.provide(Memory.layer()),
    ),
  )
  const topics = Context.get(services, Topics.Topics)
  yield* topics.publish("secret", secret)
  const grpc = Context.get(services, Grpc.GrpcServer)
  const busrt = Context.get(services, Busrt.BusrtServer).endpoints
  const endpoint = (kind: Exclude<Kind, "grpc">) => busrt.find((each) => each.kind === kind)!
  return {
    port: (kind) => (kind === "grpc" ? grpc.port : (endpoint(kind) as { readonly port: number }).port),
    url: (kind) => (kind === "grpc" ? grpc.url : Endpoint.format(endpoint(kind))),
    access,
    topics,
  } satisfies Service
})

type Failed = { readonly message: string }

/** Our client; over gRPC it is known by its certificate alone. */
const layerClient = (
  service: Service,
  kind: Kind,
  tls: Current<TlsDialOptions>,
  name: string,
  reconnectFor?: number,
): Layer.Layer<Topics.Topics, Failed> => {
  const url = service.url(kind)
  const client: Layer.Layer<Topics.Topics, Failed> =
    kind === "grpc" ? Grpc.layerTopics({ url, tls, reconnectFor }) : Busrt.layer({ url, tls, name, reconnectFor })
  return Layer.fresh(client)
}

/** Reads the secret with our client, as who has a certificate. */
export const read = (
  service: Service,
  kind: Kind,
  tls: Current<TlsDialOptions>,
  name = "device",
): Effect.Effect<string, Failed> =>
  Effect.flatMap(Topics.Topics, (topics) =>
    Stream.runCollect(Stream.take(topics.subscribe("secret", { from: "start" }), 1)),
  ).pipe(
    Effect.map(([message]) => Buffer.from(message!.payload).toString()),
    Effect.provide(layerClient(service, kind, tls, name)),
  )

/** A subscription of our client, which is given up when it is lost. */
export const openSubscription = Effect.fnUntraced(function* (
  service: Service,
  kind: Kind,
  tls: Current<TlsDialOptions>,
  name = "device",
) {
  const received: Array<string> = []
  const first = yield* Deferred.make<void>()
  const waiting = new Map<string, Deferred.Deferred<void>>()
  const reading = yield* Effect.flatMap(Topics.Topics, (topics) =>
    Stream.runForEach(topics.subscribe("secret", { from: "start" }), ({ payload }) => {
      const text = Buffer.from(payload).toString()
      received.push(text)
      const deferred = waiting.get(text)
      if (deferred !== undefined) Deferred.doneUnsafe(deferred, Effect.void)
      return Deferred.succeed(first, undefined)
    }),
  ).pipe(Effect.provide(layerClient(service, kind, tls, name, 0)), Effect.forkChild({ startImmediately: true }))
  return {
    first: Effect.raceFirst(Deferred.await(first), Fiber.join(reading)),
    received: () => received,
    ended: Effect.exit(Fiber.join(reading)),
    /** Succeeds when this has come, and fails where the subscription ends before. */
    until: (text: string) =>
      Effect.suspend(() => {
        if (received.includes(text)) return Effect.void
        const deferred = Deferred.makeUnsafe<void>()
        waiting.set(text, deferred)
        return Effect.raceFirst(Deferred.await(deferred), Fiber.join(reading))
      }),
  }
})

/** A server of Node's alone that says a word to whoever comes. */
export const speaking = (options: tls.TlsOptions) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly server: tls.Server }>((resume) => {
      const server = tls.createServer({ ...certificate, ...options }, (socket) => {
        socket.on("error", () => undefined)
        socket.end("hello")
      })
      server.listen(0, host, () => resume(Effect.succeed({ server, port: (server.address() as net.AddressInfo).port })))
    }),
    ({ server }) => Effect.sync(() => server.close()),
  )

/** Who attacks trusts everybody. */
const careless = { host, rejectUnauthorized: false, checkServerIdentity: () => undefined } as const

/** What came of an attempt: all that the service has given, until it hung up or there was enough. */
type Collect = (options: tls.ConnectionOptions, port: number) => Promise<Buffer>

const gathering = (
  isEnough: (bytes: Buffer) => boolean,
  begin: (got: (chunk: Uint8Array) => void, done: () => void) => { readonly destroy: () => void },
): Promise<Buffer> =>
  new Promise((resolve) => {
    let bytes = Buffer.alloc(0)
    const done = (): void => {
      resolve(bytes)
      attempt.destroy()
    }
    const got = (chunk: Uint8Array): void => {
      bytes = Buffer.concat([bytes, chunk])
      if (isEnough(bytes)) done()
    }
    const attempt = begin(got, done)
  })

/** The service of a socket speaks first: any byte of it is one too many. */
const anything = (bytes: Buffer): boolean => bytes.length > 0
const all = (bytes: Buffer): boolean => bytes.includes(secret)

const fetchSecret = Buffer.from([0, 0, 0, 0, 8, 0x0a, 6, ...Buffer.from("secret")])

/** Asks `msgbus.v1` for the stored message over HTTP/2, whatever carries it. */
const fetchOver = (connection: () => net.Socket): Promise<Buffer> =>
  gathering(all, (got, done) => {
    const session = http2.connect("https://localhost", { createConnection: connection })
    session.on("error", done)
    session.on("close", done)
    const request = session.request({
      ":method": "POST",
      ":path": "/msgbus.v1.MsgbusService/Fetch",
      "content-type": "application/grpc",
      te: "trailers",
    })
    request.on("data", got)
    request.on("error", done)
    request.on("close", done)
    request.end(fetchSecret)
    return session
  })

const attempts: Readonly<Record<Kind, Collect>> = {
  grpc: (options, port) => fetchOver(() => tls.connect({ ALPNProtocols: ["h2"], ...careless, ...options, port })),
  tls: (options, port) =>
    gathering(anything, (got, done) => {
      const socket = tls.connect({ ...careless, ...options, port })
      socket.on("data", got)
      socket.on("error", done)
      socket.on("close", done)
      return socket
    }),
  wss: (options, port) =>
    gathering(anything, (got, done) => {
      const socket = new WebSocket(`wss://${host}:${port}/`, { ...careless, ...options })
      socket.on("message", (data) => got(data as Buffer))
      socket.on("error", done)
      socket.on("close", done)
      return { destroy: () => socket.terminate() }
    }),
}

/** Connects with these options, and gives whatever the service says. */
export const attempt = (
  service: Service | undefined,
  kind: Kind,
  options: tls.ConnectionOptions,
  port = service!.port(kind),
): Effect.Effect<Buffer> => Effect.promise(() => attempts[kind](options, port))
