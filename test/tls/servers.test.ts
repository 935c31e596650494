/**
 * Servers that our clients must not speak to: they get not a byte of what was meant for another one. That a server with a
 * right certificate gets it shows that the others could.
 */
import * as net from "node:net"
import * as tls from "node:tls"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Grpc from "../../src/protocol/grpc/index.ts"
import { Topics } from "../../src/topics/index.ts"
import * as Transport from "../../src/transport/index.ts"
import type { TlsDialOptions } from "../../src/transport/tls.ts"
import { authority, type Certificate, certificate, makeAuthority, selfSigned } from "../support/certificates.ts"
import { type Kind, kinds, secret } from "./Service.ts"

const names = (...values: ReadonlyArray<string>) => values.map((value) => ({ type: "dns", value }) as const)
const here = [{ type: "ip", value: "127.0.0.1" }] as const

const stranger = await makeAuthority("a stranger")
const impostor = await makeAuthority()
const leaf = await authority.issue({ names: names("leaf.example.org") })
const signedByLeaf = await leaf.issue()
const old = { ciphers: "DEFAULT@SECLEVEL=0", minVersion: "TLSv1" } as const

/** A server, and how it is called; by its address, unless said otherwise. */
interface Wrong {
  readonly server: tls.TlsOptions
  readonly dial?: Omit<TlsDialOptions, "cert" | "key">
}

const shows = (server: Certificate, dial?: Wrong["dial"]): Wrong => ({
  server,
  ...(dial === undefined ? {} : { dial }),
})
const toDomain = (domain: string) => ({ ca: authority.cert, domain })

const wrong: Readonly<Record<string, Wrong>> = {
  "a certificate of another authority": shows(await stranger.issue()),
  "a certificate of another authority of the same name": shows(await impostor.issue()),
  "a certificate of an authority that nobody has named": shows(certificate, {}),
  "a certificate that has signed itself": shows(await selfSigned()),
  "a certificate that has expired": shows(await authority.issue({ days: [-30, -1] })),
  "a certificate that does not hold yet": shows(await authority.issue({ days: [1, 30] })),
  "a certificate for clients alone": shows(await authority.issue({ usages: ["client"] })),
  "a certificate signed by one that is no authority": shows({ ...signedByLeaf, cert: signedByLeaf.cert + leaf.cert }),
  "another address": shows(await authority.issue({ names: [{ type: "ip", value: "127.0.0.2" }] })),
  "an address as a DNS name": shows(await authority.issue({ names: names("127.0.0.1") })),
  "another name": shows(certificate, toDomain("node.example.org")),
  "a common name alone": shows(
    await authority.issue({ commonName: "node.example.org", names: [] }),
    toDomain("node.example.org"),
  ),
  "a common name, and an address": shows(
    await authority.issue({ commonName: "node.example.org", names: here }),
    toDomain("node.example.org"),
  ),
  "a wildcard for names that are longer": shows(
    await authority.issue({ names: names("*.example.org") }),
    toDomain("a.node.example.org"),
  ),
  "a name with NUL in it": shows(
    await authority.issue({ names: names("node.example.org\0.nobody.example.org") }),
    toDomain("node.example.org"),
  ),
  "a name that looks like two": shows(
    await authority.issue({ names: names("nobody.example.org, DNS:node.example.org") }),
    toDomain("node.example.org"),
  ),
  "another certificate than the one that is pinned": shows(await authority.issue(), { pinned: certificate.cert }),
  "a certificate that the pinned one has signed": shows(await leaf.issue(), { pinned: leaf.cert }),
  "TLS 1.1": { server: { ...certificate, ...old, maxVersion: "TLSv1.1" } },
  "TLS 1.0": { server: { ...certificate, ...old, maxVersion: "TLSv1" } },
}

/** A server that takes what it gets, and can be asked how much that was once everybody has gone. */
const taking = (server: tls.Server | net.Server, event: "connection" | "secureConnection") => {
  let bytes = 0
  const sockets = new Set<net.Socket>()
  server.on("connection", (socket: net.Socket) => {
    sockets.add(socket)
    socket.on("error", () => undefined)
  })
  server.on(event, (socket: net.Socket) => {
    socket.on("data", (chunk) => {
      bytes += chunk.length
      // It was enough, and it would wait for an answer.
      socket.destroy()
    })
    socket.on("error", () => undefined)
  })
  server.on("tlsClientError", (_, socket: net.Socket) => socket.destroy())
  return Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly received: Effect.Effect<number> }>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as net.AddressInfo
        const received = Effect.callback<number>((done) => {
          server.close(() => done(Effect.succeed(bytes)))
        })
        resume(Effect.succeed({ port, received }))
      })
    }),
    () =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
        server.close()
      }),
  )
}

/** Wants to give the secret to who is there, with one of our clients; succeeds with why it did not work out. */
const give = (kind: Kind, port: number, options: TlsDialOptions): Effect.Effect<string> => {
  const endpoint: Transport.Endpoint.Endpoint =
    kind === "wss" ? { kind, host: "127.0.0.1", port, path: "/" } : { kind: "tls", host: "127.0.0.1", port }
  const giving: Effect.Effect<unknown, { readonly message: string }> =
    kind === "grpc"
      ? Effect.flatMap(Topics, (topics) => topics.publish("secret", secret)).pipe(
          Effect.provide(
            Layer.fresh(Grpc.layerTopics({ url: `grpcs://127.0.0.1:${port}`, tls: options, repeatFor: 0 })),
          ),
        )
      : Transport.dial(endpoint, { tls: options }).pipe(
          Effect.flatMap((connection) => {
            connection.write(Buffer.from(secret))
            return connection.closed
          }),
          Effect.scoped,
        )
  return Effect.match(giving, { onSuccess: () => "", onFailure: ({ message }) => message })
}

describe("our clients under TLS", () => {
  it.live(
    "give nothing to who may not have it",
    () =>
      Effect.gen(function* () {
        let tried = 0
        const accepted: Array<string> = []
        for (const kind of kinds) {
          const alpn = kind === "grpc" ? { ALPNProtocols: ["h2"] } : {}
          const serve = (options: tls.TlsOptions) =>
            taking(tls.createServer({ ...options, ...alpn }), "secureConnection")
          for (const [what, { dial = { ca: authority.cert }, server }] of Object.entries(wrong)) {
            const { port, received } = yield* serve(server)
            const why = yield* give(kind, port, dial)
            expect(why, `${kind}: ${what}`).toMatch(/: its certificate |: it speaks another version of TLS$/)
            tried += 1
            if ((yield* received) > 0) accepted.push(`${kind}: ${what}`)
          }
          const plain = yield* taking(
            net.createServer((socket) => void socket.write("hello")),
            "secureConnection",
          )
          expect(yield* give(kind, plain.port, { ca: authority.cert })).toMatch(/it does not speak TLS/)
          tried += 1

          // Controls: each way to trust somebody leads to who is trusted.
          for (const dial of [
            { ca: authority.cert },
            { ca: authority.cert, domain: "localhost" },
            { pinned: certificate.cert, domain: "whatever.example.org" },
          ]) {
            const right = yield* serve(certificate)
            yield* give(kind, right.port, dial)
            expect(yield* right.received, `${kind}: ${JSON.stringify(Object.keys(dial))}`).toBeGreaterThan(0)
          }
          const wildcard = yield* serve(yield* Effect.promise(() => authority.issue({ names: names("*.b.org") })))
          yield* give(kind, wildcard.port, toDomain("a.b.org"))
          expect(yield* wildcard.received).toBeGreaterThan(0)
        }
        expect(accepted).toEqual([])
        expect(tried).toBeGreaterThan(20)
        console.info(`servers that may not: ${tried} attempts, ${accepted.length} accepted`)
      }).pipe(Effect.scoped),
    60_000,
  )
})
