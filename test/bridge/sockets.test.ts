/** Topics, queues and the exchange of a node over one BUS/RT socket, also where that is cut. */
import { describe, expect, it, vi } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Queue, Stream } from "effect"
import { Access } from "../../src/access/Access.ts"
import * as Bridge from "../../src/bridge/index.ts"
import * as Busrt from "../../src/protocol/busrt/index.ts"
import * as Queues from "../../src/queues/index.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Laws from "../../src/testing/laws.ts"
import * as QueueLaws from "../../src/testing/queueLaws.ts"
import { Topics } from "../../src/topics/index.ts"
import * as Proxy from "../support/Proxy.ts"
import { layerBusNode } from "./BusNode.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 60_000 })

const portOf = (services: Context.Context<Busrt.BusrtServer>): number => {
  const [endpoint] = Context.get(services, Busrt.BusrtServer).endpoints
  return endpoint?.kind === "tcp" ? endpoint.port : 0
}

/** A node that listens, and its port. */
const serveNode = (disk: Memory.MemoryDisk = Memory.makeDisk()) =>
  Effect.map(
    Layer.build(
      Layer.fresh(
        Busrt.layerServer({ endpoints: [{ kind: "tcp", host: "127.0.0.1", port: 0 }] }).pipe(
          Layer.provide(Access.layerOpen),
          Layer.provideMerge(layerBusNode({ disk })),
        ),
      ),
    ),
    (services) => ({ services, port: portOf(services) }),
  )

/** What an app has of a node whose URL it knows: all three services, over one socket for each client. */
const layerOfNode = (port: number) =>
  Bridge.layerOverExchange({ name: "app" }).pipe(
    Layer.provideMerge(Busrt.layerExchange({ endpoint: { kind: "tcp", host: "127.0.0.1", port } })),
  )

const layerRemote = (disk: Memory.MemoryDisk) =>
  Layer.unwrap(Effect.map(serveNode(disk), ({ port }) => layerOfNode(port)))

describe("over a socket", () => {
  it.live("topics keep the laws (I2, I3, I4, I7, I8)", () => {
    const disk = Memory.makeDisk()
    return Laws.ordering({ layer: layerRemote(disk), reopens: true }, { runs: 30 })
  })

  it.live("queues keep the laws (I6)", () =>
    QueueLaws.fifo(() => ({ layer: layerRemote(Memory.makeDisk()), reopens: true }), { runs: 20 }),
  )
})

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`)

describe("where the socket is cut", () => {
  /** A node, a client of it through a proxy, and what cuts that. */
  const cuttable = Effect.gen(function* () {
    const { port, services } = yield* serveNode()
    const proxy = yield* Proxy.make(port)
    const remote = yield* Layer.build(layerOfNode(proxy.port))
    return {
      cut: Effect.sync(() => proxy.cut()),
      local: { topics: Context.get(services, Topics), queues: Context.get(services, Queues.Queues) },
      topics: Context.get(remote, Topics),
      queues: Context.get(remote, Queues.Queues),
    }
  })

  it.live("a subscription gets each message once and in order", () =>
    Effect.gen(function* () {
      const { cut, local, topics } = yield* cuttable
      const seen = yield* Queue.unbounded<string>()
      const lives = yield* Queue.unbounded<void>()
      yield* topics.subscribe("t", { from: "start", onLive: Queue.offer(lives, undefined) }).pipe(
        Stream.runForEach(({ payload }) => Queue.offer(seen, Buffer.from(payload).toString())),
        Effect.forkScoped,
      )
      for (let round = 0; round < 3; round++) {
        const [first, last] = [round * 500 + 1, round * 500 + 500]
        const drafts = numbers(first, last).map((payload) => ({ topic: "t", payload }))
        yield* local.topics.publishAll(drafts)
        expect(yield* Queue.takeN(seen, 500)).toEqual(numbers(first, last))
        yield* cut
      }
      yield* local.topics.publish("t", "1501")
      expect(yield* Queue.take(seen)).toBe("1501")
      yield* Queue.take(lives)
      yield* local.topics.publish("t", "1502")
      expect(yield* Queue.take(seen)).toBe("1502")
      expect(yield* Queue.size(lives)).toBe(0)
    }),
  )

  it.live("a consumer goes on with its cursor, and handles nothing twice that is committed", () =>
    Effect.gen(function* () {
      const { cut, local, topics } = yield* cuttable
      const seen = yield* Queue.unbounded<string>()
      const consuming = yield* Effect.forkScoped(
        topics.consume("c", "t", ({ payload }) => Queue.offer(seen, Buffer.from(payload).toString())),
      )
      for (let round = 0; round < 3; round++) {
        const [first, last] = [round * 200 + 1, round * 200 + 200]
        yield* local.topics.publishAll(numbers(first, last).map((payload) => ({ topic: "t", payload })))
        expect(yield* Queue.takeN(seen, 200)).toEqual(numbers(first, last))
        yield* cut
      }
      yield* local.topics.publish("t", "601")
      expect(yield* Queue.take(seen)).toBe("601")
      yield* Fiber.interrupt(consuming)
      expect(yield* local.topics.cursors).toMatchObject([{ name: "c", position: 601, lag: 0, isHeld: false }])
    }),
  )

  it.live("a taker goes on, and does nothing twice", () =>
    Effect.gen(function* () {
      const { cut, local, queues } = yield* cuttable
      const count = 60
      for (const payload of numbers(1, count)) yield* local.queues.enqueue("q", payload)
      const done: Array<string> = []
      const isOver = yield* Deferred.make<void>()
      const taking = yield* Effect.forkScoped(
        queues.take("q", ({ payload }) =>
          Effect.gen(function* () {
            const text = Buffer.from(payload).toString()
            if (Number(text) % 20 === 0) yield* cut
            done.push(text)
            if (done.length === count) yield* Deferred.succeed(isOver, undefined)
          }),
        ),
      )
      yield* Deferred.await(isOver)
      while ((yield* local.queues.queues)[0]!.depth > 0) yield* Effect.sleep(1)
      expect(done).toEqual(numbers(1, count))
      yield* Fiber.interrupt(taking)
    }),
  )
})
