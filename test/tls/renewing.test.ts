/**
 * Certificates that are replaced while a node runs: connections that are made from then on see the new ones, and those
 * that there are go on.
 */
import * as tls from "node:tls"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { TlsDialOptions, TlsListenOptions } from "../../src/transport/tls.ts"
import { authority, makeAuthority } from "../support/certificates.ts"
import { device, kinds, openSubscription, read, secret, serve } from "./Service.ts"

const names = [{ type: "dns", value: device }] as const
const [first, second, good] = await Promise.all([authority.issue(), authority.issue(), authority.issue({ names })])
const next = await makeAuthority("the next authority")
const renewed = await next.issue({ names })

/** A client that is let in, until somebody else signs for clients. */
const toPort = (port: number, version?: tls.SecureVersion): tls.ConnectionOptions => ({
  port,
  host: "127.0.0.1",
  rejectUnauthorized: false,
  ALPNProtocols: ["h2", "http/1.1"],
  ...good,
  ...(version === undefined ? {} : { minVersion: version, maxVersion: version }),
})

/** The certificate that a port shows now. */
const shownAt = (port: number): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const socket = tls.connect(toPort(port))
    socket.on("error", () => undefined)
    socket.on("secureConnect", () => {
      resume(Effect.succeed(socket.getPeerX509Certificate()!.toString()))
      socket.destroy()
    })
  })

/** What a client can show later instead of a handshake, from a connection on which it was let in. */
const sessionOf = (port: number, version: tls.SecureVersion): Effect.Effect<Buffer> =>
  Effect.callback((resume) => {
    const socket = tls.connect(toPort(port, version))
    socket.on("error", () => undefined)
    socket.once("session", (session) => {
      resume(Effect.succeed(session))
      socket.destroy()
    })
  })

/** What comes of a connection that begins with a session; who is let in hears something. */
const resuming = (port: number, version: tls.SecureVersion, session: Buffer) =>
  Effect.callback<"resumed" | "anew" | "refused">((resume) => {
    const socket = tls.connect({ ...toPort(port, version), session })
    socket.on("error", () => undefined)
    socket.on("data", () => {
      resume(Effect.succeed(socket.isSessionReused() ? "resumed" : "anew"))
      socket.destroy()
    })
    socket.on("close", () => resume(Effect.succeed("refused")))
  })

describe("a session of a client that was let in once", () => {
  it.live.each(["TLSv1.2", "TLSv1.3"] as const)(
    "is worth nothing when somebody else signs for clients: %s",
    (version) =>
      Effect.gen(function* () {
        for (const kind of kinds) {
          let listen: TlsListenOptions = { ...first, clientCa: authority.cert }
          const service = yield* serve(() => listen)
          const port = service.port(kind)
          const session = yield* sessionOf(port, version)
          // A control: such a session does go on. A WebSocket's server waits for a request, and says nothing.
          if (kind !== "wss") expect(yield* resuming(port, version, session), kind).toBe("resumed")
          listen = { ...first, clientCa: next.cert }
          expect(yield* resuming(port, version, session), kind).toBe("refused")
        }
      }).pipe(Effect.scoped),
    20_000,
  )
})

describe("a certificate that is renewed", () => {
  it.live(
    "is shown by listeners from then on, and running connections go on",
    () =>
      Effect.gen(function* () {
        let listen: TlsListenOptions = { ...first, clientCa: authority.cert }
        const service = yield* serve(() => listen)
        const readers = new Map<string, Effect.Success<ReturnType<typeof openSubscription>>>()
        for (const kind of kinds) {
          expect(yield* shownAt(service.port(kind))).toBe(first.cert)
          readers.set(
            kind,
            yield* openSubscription(
              service,
              kind,
              { ca: authority.cert, ...good },
              kind === "wss" ? "device%%2" : "device",
            ),
          )
          yield* readers.get(kind)!.first
        }
        // And whoever signs for clients is another one.
        listen = { ...second, clientCa: next.cert }
        for (const kind of kinds) {
          expect(yield* shownAt(service.port(kind))).toBe(second.cert)
          const tls = { ca: authority.cert }
          expect((yield* Effect.result(read(service, kind, { ...tls, ...good })))._tag, kind).toBe("Failure")
          expect(yield* read(service, kind, { ...tls, ...renewed }, `device%%${kind}-2`), kind).toBe(secret)
        }
        yield* service.topics.publish("secret", "news")
        for (const kind of kinds) yield* readers.get(kind)!.until("news")
      }).pipe(Effect.scoped),
    20_000,
  )

  it.live(
    "is shown by clients at their next connection",
    () =>
      Effect.gen(function* () {
        let listen: TlsListenOptions = { ...first, clientCa: authority.cert }
        let dial: TlsDialOptions = { ca: authority.cert, ...good }
        const service = yield* serve(() => listen)
        const asked: Array<TlsDialOptions> = []
        const tls = (): TlsDialOptions => {
          asked.push(dial)
          return dial
        }
        expect(yield* read(service, "grpc", tls)).toBe(secret)
        listen = { ...first, clientCa: next.cert }
        expect((yield* Effect.result(read(service, "grpc", tls)))._tag).toBe("Failure")
        dial = { ca: authority.cert, ...renewed }
        for (const kind of kinds) expect(yield* read(service, kind, tls), kind).toBe(secret)
        expect(new Set(asked).size).toBe(2)
      }).pipe(Effect.scoped),
    20_000,
  )
})
