/**
 * Handshakes that never come to their end: either side gives them up after five seconds, and until then they count as
 * connections. Node's own limit is two minutes for servers, of handshakes that nobody hears of, and none for clients.
 */
import { once } from "node:events"
import * as net from "node:net"
import * as tls from "node:tls"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Grpc from "../../src/protocol/grpc/index.ts"
import { Topics } from "../../src/topics/index.ts"
import * as Transport from "../../src/transport/index.ts"
import { authority } from "../support/certificates.ts"
import { kinds, secret, serve } from "./Service.ts"

/** Not so short that it would be somebody else's limit, and far below Node's. */
const seconds = { least: 4.5, most: 60 }

/** What a client says first. */
const makeHello = async (): Promise<Buffer> => {
  const server = net.createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const client = tls.connect({ host: "127.0.0.1", port: (server.address() as net.AddressInfo).port })
  client.on("error", () => undefined)
  const [socket] = (await once(server, "connection")) as [net.Socket]
  const [hello] = (await once(socket, "data")) as [Buffer]
  client.destroy()
  server.close()
  return hello
}

const begin = (port: number, speak: (socket: net.Socket) => NodeJS.Timeout | undefined): Effect.Effect<number> =>
  Effect.callback((resume) => {
    const began = performance.now()
    const socket = net.connect(port, "127.0.0.1")
    const timer = speak(socket)
    socket.resume()
    socket.on("error", () => undefined)
    socket.on("close", () => {
      clearInterval(timer)
      resume(Effect.succeed((performance.now() - began) / 1000))
    })
  })

describe("a handshake that never finishes", () => {
  it.live(
    "is cut after five seconds by the server, however it is drawn out",
    () =>
      Effect.gen(function* () {
        const service = yield* serve()
        const hello = yield* Effect.promise(makeHello)
        const ways: Readonly<Record<string, (socket: net.Socket) => NodeJS.Timeout | undefined>> = {
          "nothing is said": () => undefined,
          "half of it": (socket) => void socket.write(hello.subarray(0, hello.length / 2)),
          "a byte now and then": (socket) => {
            let at = 0
            return setInterval(() => socket.write(hello.subarray(at, ++at)), 100)
          },
          "all but the end": (socket) => void socket.write(hello),
        }
        const attempts = kinds.flatMap((kind) =>
          Object.entries(ways).map(([way, speak]) =>
            Effect.map(begin(service.port(kind), speak), (took) => ({ what: `${kind}: ${way}`, took })),
          ),
        )
        const cut = yield* Effect.all(attempts, { concurrency: "unbounded" })
        expect(cut.filter(({ took }) => took < seconds.least || took > seconds.most)).toEqual([])
        expect(cut.length).toBe(12)
      }).pipe(Effect.scoped),
    120_000,
  )

  it.live(
    "is given up after five seconds by our clients",
    () =>
      Effect.gen(function* () {
        const sockets = new Set<net.Socket>()
        const silent = net.createServer((socket) => {
          sockets.add(socket)
          socket.on("error", () => undefined)
          socket.resume()
        })
        yield* Effect.acquireRelease(
          Effect.promise(async () => {
            silent.listen(0, "127.0.0.1")
            await once(silent, "listening")
          }),
          () => Effect.sync(() => silent.close()),
        )
        const { port } = silent.address() as net.AddressInfo
        const trust = { ca: authority.cert }
        const place = { host: "127.0.0.1", port }
        const dialing = (endpoint: Transport.Endpoint.Endpoint) =>
          Effect.scoped(Transport.dial(endpoint, { tls: trust }))
        const clients: ReadonlyArray<Effect.Effect<unknown, { readonly message: string }>> = [
          dialing({ kind: "tls", ...place }),
          dialing({ kind: "wss", ...place, path: "/" }),
          Effect.flatMap(Topics, (topics) => topics.publish("secret", secret)).pipe(
            Effect.provide(
              Layer.fresh(Grpc.layerTopics({ url: `grpcs://127.0.0.1:${port}`, tls: trust, timeout: "1 minute" })),
            ),
          ),
        ]
        const began = performance.now()
        const why = yield* Effect.all(
          clients.map((client) => Effect.map(Effect.flip(client), ({ message }) => message)),
          { concurrency: "unbounded" },
        )
        expect((performance.now() - began) / 1000).toBeLessThan(seconds.most)
        expect(why).toEqual([
          expect.stringContaining("there is no connection after 5s"),
          expect.stringContaining("there is no connection after 5s"),
          expect.stringContaining("it did not finish the TLS handshake in time"),
        ])
      }).pipe(Effect.scoped),
    120_000,
  )

  it.live("counts towards the connections that there may be", () =>
    Effect.gen(function* () {
      const service = yield* serve(undefined, { maxConnections: 1 })
      for (const kind of kinds) {
        const waiting = net.connect(service.port(kind), "127.0.0.1")
        yield* Effect.promise(() => once(waiting, "connect"))
        const one = net.connect(service.port(kind), "127.0.0.1")
        one.on("error", () => undefined)
        yield* Effect.promise(() => once(one, "close"))
        waiting.destroy()
      }
    }).pipe(Effect.scoped),
  )
})
