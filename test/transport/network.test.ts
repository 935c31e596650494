/** What networks and peers do to a connection: it is cut, reset, or leads nowhere; a peer is slow, or closes one half. */
import * as net from "node:net"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Queue, Schedule, Scope } from "effect"
import * as Transport from "../../src/transport/index.ts"
import * as Proxy from "../support/Proxy.ts"
import { accept, makeWitness, until, witness } from "./places.ts"

const kinds = ["tcp", "ws"] as const

const endpointAt = (kind: (typeof kinds)[number], port: number): Transport.Endpoint.Endpoint =>
  kind === "tcp" ? { kind, host: "127.0.0.1", port } : { kind, host: "127.0.0.1", port, path: "/" }

const portOf = ({ endpoint }: Transport.Listener) => (endpoint as { readonly port: number }).port

/** Both sides of a connection through a proxy. */
const through = (kind: (typeof kinds)[number], closeWithin = 200) =>
  Effect.gen(function* () {
    const listener = yield* Transport.listen(endpointAt(kind, 0), { closeWithin })
    const proxy = yield* Proxy.make(portOf(listener))
    const accepted = yield* Effect.forkChild(accept(listener), { startImmediately: true })
    const near = yield* Transport.dial(endpointAt(kind, proxy.port), { closeWithin })
    const far = yield* Fiber.join(accepted)
    return { far, listener, near, proxy, toFar: witness(far), toNear: witness(near) }
  })

describe.each(kinds)("over %s, a connection", (kind) => {
  it.live("that is cut is over for both", () =>
    Effect.gen(function* () {
      const { near, proxy, toFar, toNear } = yield* through(kind)
      near.write(Buffer.from("a"))
      yield* toFar.has(1)
      proxy.cut()
      // A cut that looks like a goodbye is none where there should have been words.
      const reason = kind === "tcp" ? undefined : "broken"
      expect([(yield* toNear.ended)?.reason, (yield* toFar.ended)?.reason]).toEqual([reason, reason])
    }),
  )

  it.live("that is reset is lost", () =>
    Effect.gen(function* () {
      const { near, proxy, toFar, toNear } = yield* through(kind)
      near.write(Buffer.from("a"))
      yield* toFar.has(1)
      proxy.reset()
      expect(yield* toNear.ended).toMatchObject({ _tag: "ConnectionLost", reason: "broken" })
      expect(yield* toFar.ended).toMatchObject({ _tag: "ConnectionLost", reason: "broken" })
    }),
  )

  it.live("is kept through a network that breaks again and again, each time with a session of its own", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(endpointAt(kind, 0))
      let open = 0
      yield* Effect.forkChild(
        listener.run((connection) =>
          Effect.suspend(() => {
            open += 1
            witness(connection)
            connection.write(Buffer.from("hello"))
            return Effect.ensuring(
              connection.closed,
              Effect.sync(() => (open -= 1)),
            )
          }),
        ),
      )
      const proxy = yield* Proxy.make(portOf(listener))
      const established = yield* Queue.unbounded<number>()
      let sessions = 0
      const kept = yield* Effect.forkChild(
        Transport.reconnecting(
          Transport.dial(endpointAt(kind, proxy.port)),
          (connection, establish) =>
            Effect.gen(function* () {
              yield* witness(connection).has(5)
              yield* establish
              yield* Queue.offer(established, ++sessions)
              return yield* Effect.never
            }),
          { schedule: Schedule.spaced("5 millis") },
        ),
      )
      for (let round = 1; round <= 20; round++) {
        expect(yield* Queue.take(established)).toBe(round)
        if (round % 3 === 0) {
          proxy.refuse(true)
          proxy.cut()
          yield* Effect.sleep(20)
          proxy.refuse(false)
        } else if (round % 3 === 1) proxy.cut()
        else proxy.reset()
      }
      yield* Fiber.interrupt(kept)
      yield* until(() => open === 0)
    }),
  )
})

describe("a connection that leads nowhere any more", () => {
  it.live("holds up neither its end nor its listener's", () =>
    Effect.gen(function* () {
      const outer = yield* Scope.make()
      yield* Effect.addFinalizer(() => Scope.close(outer, Exit.void))
      const inner = yield* Scope.make()
      const closeWithin = "100 millis"
      const listener = yield* Scope.provide(Transport.listen(endpointAt("ws", 0), { closeWithin }), inner)
      // The network outlives both sides, and brings neither one's goodbye to the other.
      const proxy = yield* Scope.provide(Proxy.make(portOf(listener)), outer)
      const near = yield* Scope.provide(Transport.dial(endpointAt("ws", proxy.port), { closeWithin }), inner)
      const far = yield* accept(listener)
      const [toNear, toFar] = [witness(near), witness(far)]
      near.write(Buffer.from("a"))
      yield* toFar.has(1)
      proxy.vanish()
      near.write(Buffer.from("b"))
      expect([near.isOpen, far.isOpen]).toEqual([true, true])
      near.end()
      expect(yield* toNear.ended).toMatchObject({ reason: "overdue" })
      expect(far.isOpen).toBe(true)
      yield* Scope.close(inner, Exit.void)
      expect(yield* toFar.ended).toMatchObject({ reason: "overdue" })
      expect(String(toFar.bytes())).toBe("a")
    }),
  )

  it.live("is given up by whoever dialed it, whatever is still to be written", () =>
    Effect.gen(function* () {
      const sockets = new Set<net.Socket>()
      const server = yield* Effect.acquireRelease(
        Effect.callback<net.Server>((resume) => {
          const options = { allowHalfOpen: true, pauseOnConnect: true }
          const server = net.createServer(options, (socket) => void sockets.add(socket.on("error", () => undefined)))
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) =>
          Effect.sync(() => {
            for (const socket of sockets) socket.destroy()
            server.close()
          }),
      )
      const { port } = server.address() as net.AddressInfo
      const seen = yield* Effect.scoped(
        Effect.gen(function* () {
          const connection = yield* Transport.dial(endpointAt("tcp", port), { closeWithin: "100 millis" })
          const seen = witness(connection)
          while (connection.write(Buffer.alloc(1_000_000)) || connection.pendingBytes < 4_000_000);
          return seen
        }),
      )
      expect(yield* seen.ended).toMatchObject({ reason: "overdue" })
    }),
  )
})

describe("a peer", () => {
  const tcp = { kind: "tcp", host: "127.0.0.1", port: 0 } as const

  /** A socket that shares no code with ours, and does not close its side by itself. */
  const plain = (listener: Transport.Listener) =>
    Effect.acquireRelease(
      Effect.callback<net.Socket>((resume) => {
        const socket = net.connect({ host: "127.0.0.1", port: portOf(listener), allowHalfOpen: true })
        socket.on("error", () => undefined)
        socket.on("connect", () => resume(Effect.succeed(socket)))
      }),
      (socket) => Effect.sync(() => socket.destroy()),
    )

  it.live("that reads slowly gets everything, and its writer holds no more than it should", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(tcp)
      const socket = yield* plain(listener)
      const connection = yield* accept(listener)
      const chunk = Buffer.alloc(100_000, "s")
      const chunks = 100
      let sent = 0
      let pendingMax = 0
      const send = () => {
        while (sent < chunks) {
          sent += 1
          const goesOn = connection.write(chunk)
          pendingMax = Math.max(pendingMax, connection.pendingBytes)
          if (!goesOn) return
        }
      }
      connection.attach({ ...makeWitness().reader, onDrain: send })
      send()
      let received = 0
      socket.pause()
      yield* Effect.gen(function* () {
        while (received < chunks * chunk.length) {
          const bytes = socket.read() as Buffer | null
          received += bytes?.length ?? 0
          yield* Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))
        }
      })
      expect(received).toBe(chunks * chunk.length)
      expect(pendingMax).toBeLessThanOrEqual(2 * chunk.length)
    }),
  )

  it.live("that closes its half gets what was written, and then the end", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(tcp)
      const socket = yield* plain(listener)
      const connection = yield* accept(listener)
      const reply = Buffer.alloc(3_000_000, "r")
      const seen = makeWitness()
      connection.attach({
        ...seen.reader,
        onChunk: (chunk) => {
          seen.reader.onChunk(chunk)
          connection.write(reply)
        },
      })
      const received = Effect.callback<number>((resume) => {
        let count = 0
        socket.on("data", (bytes) => (count += bytes.length))
        socket.on("end", () => resume(Effect.succeed(count)))
      })
      socket.end("question")
      expect(yield* received).toBe(reply.length)
      expect(String(seen.bytes())).toBe("question")
      expect(yield* seen.ended).toBe(undefined)
    }),
  )

  it.live("that closes its half and takes nothing does not hold the other one open", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(tcp, { closeWithin: "100 millis" })
      const socket = yield* plain(listener)
      const connection = yield* accept(listener)
      const seen = witness(connection)
      socket.pause()
      while (connection.write(Buffer.alloc(1_000_000)) || connection.pendingBytes < 4_000_000);
      socket.end()
      expect(yield* seen.ended).toMatchObject({ reason: "overdue" })
    }),
  )
})
