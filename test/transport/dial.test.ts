/** How dialing fails, that it can be given up, and that a kept connection comes back. */
import { writeFileSync } from "node:fs"
import * as net from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Queue, Schedule, Scope } from "effect"
import * as Browser from "../../src/transport/browser.ts"
import * as Transport from "../../src/transport/index.ts"
import { temporaryDirectory } from "../storage/temporaryDirectory.ts"
import { authority, certificate } from "../support/certificates.ts"
import { dial, endpointOf, kinds, listen, witness } from "./places.ts"

const tcp = { kind: "tcp", host: "127.0.0.1", port: 0 } as const

const portOf = ({ endpoint }: Transport.Listener) => (endpoint as { readonly port: number }).port

const failureOf = (endpoint: Transport.Endpoint.Endpoint, options: Transport.DialOptions = {}) =>
  Effect.flip(Effect.scoped(Transport.dial(endpoint, options)))

/** A port that takes connections and says nothing. */
const silent = Effect.gen(function* () {
  const sockets = new Set<net.Socket>()
  const server = yield* Effect.acquireRelease(
    Effect.callback<net.Server>((resume) => {
      const server = net.createServer((socket) => void sockets.add(socket.on("error", () => undefined).resume()))
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
        server.close()
      }),
  )
  return { sockets, port: (server.address() as net.AddressInfo).port }
})

describe("dialing fails", () => {
  it.live("where nobody listens, and says why in words", () =>
    Effect.gen(function* () {
      const listener = yield* Effect.scoped(Transport.listen(tcp))
      const port = portOf(listener)
      expect(yield* failureOf(listener.endpoint)).toMatchObject({
        _tag: "DialFailed",
        endpoint: `tcp:127.0.0.1:${port}`,
        reason: "refused",
        message: `cannot connect to tcp:127.0.0.1:${port}: nobody listens there`,
      })
      expect(yield* failureOf({ ...tcp, kind: "ws", port, path: "/" })).toMatchObject({ reason: "refused" })
      expect(yield* failureOf({ ...tcp, kind: "tls", port })).toMatchObject({ reason: "refused" })
      expect(yield* failureOf({ ...tcp, host: "localhost", port })).toMatchObject({ reason: "refused" })
    }),
  )

  it.live("where there is no such file, no socket, or no such host", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const file = join(directory, "file")
      writeFileSync(file, "")
      const reasonOf = (endpoint: Transport.Endpoint.Endpoint) =>
        Effect.map(failureOf(endpoint), ({ reason }) => reason)
      expect(yield* reasonOf({ kind: "unix", path: join(directory, "nothing") })).toBe("no such place")
      expect(yield* reasonOf({ kind: "unix", path: file })).toBe("refused")
      expect(yield* reasonOf({ ...tcp, host: "nowhere.invalid", port: 1 })).toBe("no such place")
    }),
  )

  it.live("where the host can be none, or what is to be trusted is no certificate", () =>
    Effect.gen(function* () {
      const nowhere = { ...tcp, kind: "ws", host: "999.999.999.999", port: 1, path: "/" } as const
      expect(yield* failureOf(nowhere)).toMatchObject({ _tag: "DialFailed", endpoint: "ws://999.999.999.999:1/" })
      expect(yield* Effect.flip(Effect.scoped(Browser.dial(nowhere)))).toMatchObject({ _tag: "DialFailed" })
      const link = { ...nowhere, host: "fe80::1%eth0" }
      expect(yield* failureOf(link)).toMatchObject({ _tag: "DialFailed" })
      const trusting = { tls: { cert: "no certificate", key: "no key" } }
      expect(yield* failureOf({ ...tcp, kind: "tls", port: 1 }, trusting)).toMatchObject({ reason: "failed" })
      expect(yield* failureOf({ ...nowhere, kind: "wss", host: "127.0.0.1" }, trusting)).toMatchObject({
        _tag: "DialFailed",
      })
    }),
  )

  it.live("where there is no answer in time, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const { port, sockets } = yield* silent
      // TCP alone would be connected.
      for (const kind of ["ws", "wss", "tls"] as const) {
        const endpoint = kind === "tls" ? { ...tcp, kind, port } : { ...tcp, kind, port, path: "/" }
        expect(yield* failureOf(endpoint, { connectWithin: "50 millis" })).toMatchObject({
          reason: "timed out",
          message: expect.stringMatching(/: there is no connection after 50ms$/),
        })
      }
      yield* Effect.forEach(sockets, (socket) =>
        Effect.callback<void>((resume) => {
          if (socket.closed) resume(Effect.void)
          socket.on("close", () => resume(Effect.void))
        }),
      )
    }),
  )

  it.live("when whoever waits is interrupted, at once", () =>
    Effect.gen(function* () {
      const { port } = yield* silent
      const waiting = yield* Effect.forkChild(Effect.scoped(Transport.dial({ ...tcp, kind: "ws", port, path: "/" })), {
        startImmediately: true,
      })
      yield* Fiber.interrupt(waiting)
    }),
  )

  it.live("where the certificate is not trusted, or is another host's", () =>
    Effect.gen(function* () {
      for (const kind of ["tls", "wss"] as const) {
        const listener = yield* listen(yield* endpointOf(kind))
        yield* Effect.forkChild(listener.run((connection) => connection.closed))
        expect(yield* failureOf(listener.endpoint)).toMatchObject({ reason: "rejected" })
        const trusting = { ca: authority.cert, domain: "other.example" }
        expect(yield* failureOf(listener.endpoint, { tls: trusting })).toMatchObject({ reason: "rejected" })
        yield* dial(listener.endpoint)
      }
      // Who wants TLS does not speak to who has none.
      const plain = yield* Transport.listen(tcp)
      yield* Effect.forkChild(plain.run((connection) => Effect.sync(() => connection.destroy())))
      expect((yield* failureOf({ ...tcp, kind: "tls", port: portOf(plain) }))._tag).toBe("DialFailed")
    }),
  )

  it.live("where the listener wants a certificate and there is none", () =>
    Effect.gen(function* () {
      const { cert, key } = certificate
      const listener = yield* Transport.listen(
        { ...tcp, kind: "tls" },
        { tls: { cert, key, clientCa: authority.cert } },
      )
      yield* Effect.forkChild(listener.run((connection) => Effect.sync(() => void connection.write(Buffer.from("hi")))))
      const known = witness(yield* Transport.dial(listener.endpoint, { tls: { ca: authority.cert, cert, key } }))
      expect(String(yield* known.has(2))).toBe("hi")
      // TLS 1.3 tells the client only after it has connected.
      const unknown = yield* Effect.exit(
        Effect.flatMap(Transport.dial(listener.endpoint, { tls: { ca: authority.cert } }), (connection) => {
          const reader = witness(connection)
          return Effect.andThen(
            reader.ended,
            Effect.suspend(() => Effect.succeed(reader.bytes().length)),
          )
        }),
      )
      expect(Exit.isFailure(unknown) || unknown.value === 0).toBe(true)
    }),
  )
})

/** What a user of a kept connection sees. */
const watch = Effect.gen(function* () {
  const events = yield* Queue.unbounded<Transport.ReconnectEvent>()
  const next = (tag: Transport.ReconnectEvent["_tag"]) =>
    Effect.gen(function* () {
      while (true) {
        const event = yield* Queue.take(events)
        if (event._tag === tag) return event
      }
    })
  return { next, events, onEvent: (event: Transport.ReconnectEvent) => Effect.asVoid(Queue.offer(events, event)) }
})

describe.each(kinds)("a connection that is kept over %s", (kind) => {
  it.live("is made again when its listener is gone and comes back, with a new session each time", () =>
    Effect.gen(function* () {
      const endpoint = yield* endpointOf(kind)
      const greeted: Array<string> = []
      const begin = (at: Transport.Endpoint.Endpoint) =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const listener = yield* Scope.provide(listen(at, { closeWithin: "100 millis" }), scope)
          yield* Scope.provide(
            Effect.forkScoped(
              listener.run((connection) => {
                const reader = witness(connection)
                return Effect.andThen(
                  Effect.tap(reader.has(5), (bytes) => Effect.sync(() => greeted.push(String(bytes)))),
                  Effect.andThen(
                    Effect.sync(() => connection.write(Buffer.from("ok"))),
                    connection.closed,
                  ),
                )
              }),
            ),
            scope,
          )
          return { endpoint: listener.endpoint, close: Scope.close(scope, Exit.void) }
        })
      const first = yield* begin(endpoint)
      const { next, onEvent } = yield* watch
      let sessions = 0
      let open = 0
      const kept = yield* Effect.forkChild(
        Transport.reconnecting(
          dial(first.endpoint),
          (connection, established) =>
            Effect.gen(function* () {
              sessions += 1
              open += 1
              yield* Effect.addFinalizer(() => Effect.sync(() => (open -= 1)))
              const reader = witness(connection)
              connection.write(Buffer.from(`no. ${sessions}`))
              yield* reader.has(2)
              yield* established
              return yield* Effect.never
            }),
          { onEvent, schedule: Schedule.spaced("10 millis") },
        ),
      )
      expect(yield* next("Connected")).toMatchObject({ attempts: 0 })
      yield* first.close
      yield* next("Lost")
      expect(yield* next("Retrying")).toMatchObject({ attempt: 1, delayMillis: 10 })
      yield* next("Retrying")
      expect(open).toBe(0)
      const second = yield* begin(first.endpoint)
      const { attempts } = (yield* next("Connected")) as { readonly attempts: number }
      expect(attempts).toBeGreaterThanOrEqual(2)
      expect([sessions, open, ...greeted]).toEqual([2, 1, "no. 1", "no. 2"])
      yield* Fiber.interrupt(kept)
      expect(open).toBe(0)
      yield* second.close
    }),
  )
})

describe("a connection that is kept", () => {
  const nobody = Effect.map(Effect.scoped(Transport.listen(tcp)), ({ endpoint }) => endpoint)

  it.live("is given up when its schedule ends, or where trying again cannot help", () =>
    Effect.gen(function* () {
      const endpoint = yield* nobody
      const { events, onEvent } = yield* watch
      const schedule = Schedule.max([Schedule.spaced(0), Schedule.recurs(2)])
      const ended = yield* Effect.flip(
        Transport.reconnecting(Transport.dial(endpoint), () => Effect.never, { schedule, onEvent }),
      )
      expect(ended).toMatchObject({ _tag: "DialFailed", reason: "refused" })
      expect((yield* Queue.clear(events)).map(({ _tag }) => _tag)).toEqual(["Retrying", "Retrying"])

      const asked: Array<readonly [string, boolean]> = []
      const listener = yield* Transport.listen(tcp)
      yield* Effect.forkChild(listener.run((connection) => connection.closed))
      const denied = yield* Effect.flip(
        Transport.reconnecting(Transport.dial(listener.endpoint), () => Effect.fail("denied" as const), {
          retries: (failure, wasEstablished) => {
            asked.push([String(failure), wasEstablished])
            return failure !== "denied"
          },
        }),
      )
      expect(denied).toBe("denied")
      expect(asked).toEqual([["denied", false]])
    }),
  )

  it.live("is done when its session is", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(tcp)
      yield* Effect.forkChild(listener.run((connection) => connection.closed))
      yield* Transport.reconnecting(Transport.dial(listener.endpoint), (_, established) => established)
    }),
  )

  it.live("begins its schedule anew only when a session was established", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(tcp)
      // Accepts everybody and sends everybody away: that is no success.
      yield* Effect.forkChild(listener.run(() => Effect.void))
      let established = 0
      const attempts: Array<number> = []
      const gaveUp = yield* Deferred.make<void>()
      yield* Effect.forkChild(
        Effect.flip(
          Transport.reconnecting(
            Transport.dial(listener.endpoint),
            (connection, establish) => {
              connection.attach({ onChunk: () => undefined, onDrain: () => undefined, onClose: () => undefined })
              return ++established === 3 ? Effect.andThen(establish, Effect.never) : Effect.never
            },
            {
              schedule: Schedule.max([Schedule.spaced(0), Schedule.recurs(4)]),
              onEvent: (event) =>
                Effect.sync(() => {
                  if (event._tag === "Retrying") attempts.push(event.attempt)
                }),
            },
          ),
        ).pipe(Effect.andThen(Deferred.succeed(gaveUp, undefined))),
      )
      yield* Deferred.await(gaveUp)
      expect(attempts).toEqual([1, 2, 1, 2, 3, 4])
    }),
  )

  it.effect("waits twice as long each time, up to two seconds, a fifth more or less", () =>
    Effect.gen(function* () {
      const step = yield* Schedule.toStep(Transport.defaultSchedule)
      const delays: Array<number> = []
      for (let i = 0; i < 12; i++) {
        const [, delay] = yield* step(0, undefined)
        const millis = Duration.toMillis(delay)
        const planned = Math.min(50 * 2 ** i, 2000)
        expect(millis).toBeGreaterThanOrEqual(0.8 * planned)
        expect(millis).toBeLessThanOrEqual(1.2 * planned)
        delays.push(millis / planned)
      }
      expect(new Set(delays).size).toBe(12)
    }),
  )
})
