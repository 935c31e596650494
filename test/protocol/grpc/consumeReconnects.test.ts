/**
 * Consumers over connections that do not hold: they go on by themselves, and whoever is gone holds nothing.
 */
import { expect, it, vi } from "@effect/vitest"
import { Effect, Fiber, Queue } from "effect"
import { CursorInvalid } from "../../../src/domain/errors.ts"
import type { Topics } from "../../../src/topics/index.ts"
import * as Proxy from "../../support/Proxy.ts"
import { connect, restartable } from "./TestNode.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`)

const publish = (topics: Topics["Service"], from: number, to: number) =>
  topics.publishAll(numbers(from, to).map((payload) => ({ topic: "t", payload })))

const consume = Effect.fnUntraced(function* (topics: Topics["Service"]) {
  const seen = yield* Queue.unbounded<string>()
  const fiber = yield* topics
    .consume("mine", "t", (message) => Queue.offer(seen, Buffer.from(message.payload).toString()))
    .pipe(Effect.forkScoped({ startImmediately: true }))
  return { take: (count: number) => Queue.takeN(seen, count), fiber }
})

it.live("a consumer goes on across cut connections and restarts of the node, without a gap or a repetition", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const proxy = yield* Proxy.make(node.port)
    const { fiber, take } = yield* consume(yield* connect(proxy.url))
    yield* publish(node.topics(), 1, 100)
    expect(yield* take(100)).toEqual(numbers(1, 100))
    for (let round = 1; round <= 3; round++) {
      if (round === 2) yield* Effect.andThen(node.stop, node.start)
      else proxy.cut()
      yield* publish(node.topics(), round * 100 + 1, round * 100 + 100)
      expect(yield* take(100)).toEqual(numbers(round * 100 + 1, round * 100 + 100))
    }
    yield* Fiber.interrupt(fiber)
    expect(yield* node.topics().cursors).toMatchObject([{ name: "mine", lag: 0, isHeld: false }])
  }),
)

it.live("a name is free when its consumer's connection is gone, and what was handled is kept", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const proxy = yield* Proxy.make(node.port)
    yield* publish(node.topics(), 1, 3)
    const gone = yield* consume(yield* connect(proxy.url, { reconnectFor: 0 }))
    yield* gone.take(3)
    yield* Effect.repeat(node.topics().cursors, { until: ([cursor]) => cursor?.lag === 0 })
    proxy.refuse(true)
    proxy.cut()
    expect(yield* Effect.flip(Fiber.join(gone.fiber))).toMatchObject({ _tag: "Unavailable" })
    yield* Effect.repeat(node.topics().cursors, { until: ([cursor]) => cursor?.isHeld === false })
    const next = yield* consume(node.topics())
    yield* publish(node.topics(), 4, 4)
    expect(yield* next.take(1)).toEqual(["4"])
  }),
)

it.live("a consumer that comes back to another store is told so", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const { fiber, take } = yield* consume(yield* connect(node.url))
    yield* publish(node.topics(), 1, 1)
    yield* take(1)
    yield* node.stop
    node.replaceDisk()
    yield* node.start
    expect(yield* Effect.flip(Fiber.join(fiber))).toBeInstanceOf(CursorInvalid)
  }),
)
