/** What a listener does with those who come, and that closing it leaves nothing. */
import { readdirSync } from "node:fs"
import * as net from "node:net"
import { dirname } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Logger, Metric, Scope, Stream } from "effect"
import * as Transport from "../../src/transport/index.ts"
import { dial, endpointOf, kinds, listen, pair, until, witness } from "./places.ts"

const closable = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
    return { value: yield* Scope.provide(effect, scope), close: Scope.close(scope, Exit.void) }
  })

/** What keeps the process alive now, by kind; timers of the test runner come and go. */
const handles = (): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) {
    if (/Timeout|Immediate|Request/.test(kind)) continue
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

/** Succeeds when the process holds no more than it did: Node takes its time to let go of a handle. */
const holdsNoMoreThan = (before: Record<string, number>) => {
  const more = () => Object.entries(handles()).filter(([kind, count]) => count > (before[kind] ?? 0))
  return Effect.ensuring(
    until(() => more().length === 0),
    Effect.sync(() => expect(more()).toEqual([])),
  )
}

/** Echoes until the connection is closed. */
const echo = (connection: Transport.Connection) => {
  connection.attach({
    onChunk: (chunk) => {
      if (!connection.write(chunk)) connection.pause()
    },
    onDrain: () => connection.resume(),
    onClose: () => undefined,
  })
  return connection.closed
}

/** Connects, and says nothing: what a protocol above may ask for first does not come. */
const connectOnly = (endpoint: Transport.Endpoint.Endpoint) =>
  Effect.callback<void>((resume) => {
    const at = endpoint.kind === "unix" || endpoint.kind === "pipe" ? { path: endpoint.path } : endpoint
    const socket = net.connect({ ...at, path: "host" in at ? undefined : at.path } as net.NetConnectOpts)
    socket.on("connect", () => resume(Effect.void))
    socket.on("error", () => undefined)
  })

/** Values of a metric, by its labels. */
const figures = (name: string) =>
  Effect.map(Metric.snapshot, (metrics) =>
    Object.fromEntries(
      metrics
        .filter(({ id }) => id === name)
        .map(({ attributes, state }) => {
          const { listener: _, ...labels } = (attributes ?? {}) as Record<string, string>
          const value = "count" in state ? Number(state.count) : "value" in state ? Number(state.value) : Number.NaN
          return [Object.values(labels).join(" "), value]
        }),
    ),
  )

describe.each(kinds)("a listener on %s", (kind) => {
  it.live(
    "takes as many connections as it may; one more is closed at once, counted, and there is room when one goes",
    () =>
      Effect.gen(function* () {
        const listener = yield* listen(yield* endpointOf(kind), { maxConnections: 3 })
        yield* Effect.forkChild(listener.run(echo))
        const connections = yield* Effect.forEach([1, 2, 3], () => closable(dial(listener.endpoint)))
        // A Unix socket's kernel says yes before the listener says no.
        const refused = Effect.gen(function* () {
          const connection = yield* dial(listener.endpoint)
          return yield* witness(connection).ended
        }).pipe(Effect.scoped, Effect.exit)
        yield* refused
        expect(yield* figures("millrace_connections_refused_total")).toMatchObject({ limit: 1 })
        expect(yield* figures("millrace_connections")).toEqual({ "": 3 })

        const talk = witness(connections[0]!.value)
        connections[0]!.value.write(Buffer.from("still here"))
        yield* talk.has(10)
        yield* connections[0]!.close
        const again = yield* dial(listener.endpoint).pipe(
          Effect.flatMap((connection) =>
            Effect.gen(function* () {
              const reader = witness(connection)
              connection.write(Buffer.from("room"))
              return yield* Effect.raceFirst(reader.has(4), Effect.andThen(reader.ended, Effect.fail("closed")))
            }),
          ),
          Effect.retry({ times: 100 }),
        )
        expect(String(again)).toBe("room")
        expect(yield* figures("millrace_connections_accepted_total")).toMatchObject({ "": 4 })
      }),
  )

  it.live("closes while its connections are busy: those are ended, and nothing is left", () =>
    Effect.gen(function* () {
      const before = handles()
      const endpoint = yield* endpointOf(kind)
      const server = yield* closable(
        Effect.gen(function* () {
          const listener = yield* listen(endpoint, { closeWithin: "200 millis", upgradeWithin: "1 minute" })
          yield* Effect.forkScoped(listener.run(echo))
          return { listener }
        }),
      )
      const { listener } = server.value
      const clients = yield* Effect.forEach(Array.from({ length: 5 }), () => dial(listener.endpoint))
      const readers = clients.map(witness)
      const chunk = Buffer.alloc(10_000, "x")
      for (const [i, client] of clients.entries()) {
        const { reader } = readers[i]!
        const onChunk = (echoed: Uint8Array) => {
          reader.onChunk(echoed)
          client.write(chunk)
        }
        client.attach({ ...reader, onChunk })
        for (let n = 0; n < 20; n++) client.write(chunk)
      }
      yield* Effect.forEach(readers, (reader) => reader.has(300_000))
      // And one who never says a word, and one who reads nothing.
      yield* connectOnly(listener.endpoint)
      const deaf = yield* dial(listener.endpoint)
      while (deaf.write(chunk));

      yield* server.close
      yield* Effect.forEach(readers, (reader) => reader.ended)
      deaf.destroy()
      yield* Effect.exit(deaf.closed)
      expect((yield* Effect.flip(Effect.scoped(dial(listener.endpoint))))._tag).toBe("DialFailed")
      if (endpoint.kind === "unix") expect(readdirSync(dirname(endpoint.path))).toEqual([])
      yield* holdsNoMoreThan(before)
      expect(yield* figures("millrace_connections")).toEqual({})
    }),
  )

  it.live(
    "opens and closes hundreds of connections, and the process holds no more than before, nor runs any handler",
    () =>
      Effect.gen(function* () {
        const listener = yield* listen(yield* endpointOf(kind))
        let handlers = 0
        const counted = (connection: Transport.Connection) =>
          Effect.suspend(() => {
            handlers += 1
            return Effect.ensuring(
              echo(connection),
              Effect.sync(() => (handlers -= 1)),
            )
          })
        yield* Effect.forkChild(listener.run(counted))
        // Handshakes of TLS take their time.
        const count = kind === "tls" || kind === "wss" ? 100 : 500
        const before = handles()
        const one = Effect.gen(function* () {
          const connection = yield* dial(listener.endpoint)
          const reader = witness(connection)
          connection.write(Buffer.from("hello"))
          expect(String(yield* reader.has(5))).toBe("hello")
        }).pipe(Effect.scoped)
        yield* Effect.forEach(Array.from({ length: count }), () => one, { concurrency: 50, discard: true })
        yield* holdsNoMoreThan(before)
        expect(yield* figures("millrace_connections")).toEqual({ "": 0 })
        expect(yield* figures("millrace_connections_accepted_total")).toEqual({ "": count })
        const traffic = yield* figures("millrace_connection_bytes_total")
        expect(traffic["received"]).toBeGreaterThanOrEqual(5 * count)
        expect(traffic["sent"]).toBeGreaterThanOrEqual(5 * count)
        yield* until(() => handlers === 0)
      }),
    60_000,
  )
})

describe("a listener", () => {
  const tcp = { kind: "tcp", host: "127.0.0.1", port: 0 } as const

  it.live("gives each connection a fiber and a scope, which end with their handler, and ends the connection then", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(tcp)
      const log: Array<string> = []
      yield* Effect.forkChild(
        listener.run((connection) =>
          Effect.gen(function* () {
            yield* Effect.addFinalizer(() => Effect.sync(() => log.push("scope closed")))
            connection.write(Buffer.from("bye"))
            log.push("handled")
          }),
        ),
      )
      const reader = witness(yield* Transport.dial(listener.endpoint))
      expect(yield* reader.ended).toBe(undefined)
      expect(String(reader.bytes())).toBe("bye")
      expect(log).toEqual(["handled", "scope closed"])
    }),
  )

  it.live("goes on where a handler fails, and tells of what nobody expected", () => {
    const lines: Array<unknown> = []
    const logger = Logger.map(Logger.formatStructured, (line) => void lines.push(line))
    return Effect.gen(function* () {
      const listener = yield* Transport.listen(tcp)
      let count = 0
      yield* Effect.forkChild(
        listener.run((connection) => {
          count += 1
          if (count === 1) return Effect.die("planted")
          if (count === 2) return Effect.fail(new Transport.ConnectionLost({ reason: "broken", message: "lost" }))
          return echo(connection)
        }),
      )
      for (let i = 0; i < 2; i++) yield* witness(yield* Transport.dial(listener.endpoint)).ended
      const connection = yield* Transport.dial(listener.endpoint)
      const reader = witness(connection)
      connection.write(Buffer.from("fine"))
      yield* reader.has(4)
      expect(lines).toHaveLength(1)
      expect(JSON.stringify(lines)).toContain("failed in a way that nobody expected")
      expect(JSON.stringify(lines)).toContain("planted")
    }).pipe(Effect.provide(Logger.layer([logger])))
  })

  it.live("interrupts its handlers when whoever runs it is interrupted", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(tcp)
      const interrupted = yield* Deferred.make<void>()
      const running = yield* Effect.forkChild(
        listener.run(() => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))),
      )
      const reader = witness(yield* Transport.dial(listener.endpoint))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(running)
      yield* Deferred.await(interrupted)
      yield* reader.ended
    }),
  )

  it.live("ends the stream of its connections, and what runs, when it is closed", () =>
    Effect.gen(function* () {
      const listener = yield* closable(Transport.listen(tcp))
      const counted = yield* Effect.forkChild(Stream.runCount(listener.value.connections))
      const { far } = { far: yield* Transport.dial(listener.value.endpoint) }
      witness(far)
      yield* until(() => true)
      const running = yield* Effect.forkChild(listener.value.run(echo))
      yield* listener.close
      yield* Fiber.join(running)
      expect(yield* Fiber.join(counted)).toBeLessThanOrEqual(1)
    }),
  )

  it.live("cannot have a port that is in use, an address of another machine, or a name that is none", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(tcp)
      const reasonOf = (endpoint: Transport.Endpoint.Endpoint) =>
        Effect.map(Effect.flip(Effect.scoped(Transport.listen(endpoint))), ({ reason }) => reason)
      expect(yield* reasonOf(listener.endpoint)).toBe("in use")
      expect(yield* reasonOf({ ...tcp, host: "192.0.2.1" })).toBe("no such place")
      expect(yield* reasonOf({ ...tcp, host: "nowhere.invalid" })).toBe("no such place")
      expect(yield* reasonOf({ ...tcp, kind: "tls" })).toBe("no certificate")
      expect(yield* reasonOf({ ...tcp, kind: "wss", path: "/" })).toBe("no certificate")
      const pipe = { kind: "pipe", path: "\\\\.\\pipe\\millrace" } as const
      if (process.platform !== "win32") {
        expect(yield* reasonOf(pipe)).toBe("no such place")
        expect(yield* Effect.flip(Effect.scoped(Transport.dial(pipe)))).toMatchObject({ reason: "no such place" })
      }
      const broken = Transport.listen({ ...tcp, kind: "tls" }, { tls: { cert: "none", key: "none" } })
      expect(yield* Effect.flip(Effect.scoped(broken))).toMatchObject({ reason: "no certificate" })
    }),
  )

  it.live("on every address shows an IPv4 peer's address as such", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen({ kind: "tcp", host: "::", port: 0 })
      const { port } = listener.endpoint as { readonly port: number }
      const { far } = yield* pair({ ...listener, endpoint: { kind: "tcp", host: "127.0.0.1", port } })
      witness(far)
      expect(far.source).toBe("127.0.0.1")
    }),
  )
})
