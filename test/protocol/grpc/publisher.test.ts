/**
 * Publishing over a connection: what shares requests, and what becomes of a publish when the connection does not hold.
 */
import { expect, it, vi } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Option, Scope } from "effect"
import { OutcomeUnknown, Unavailable } from "../../../src/domain/errors.ts"
import { type Topics } from "../../../src/topics/index.ts"
import * as Proxy from "../../support/Proxy.ts"
import { connect, restartable } from "./TestNode.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

/** Runs the n-th publish of a node only when it is told to. */
const gated = () => {
  const entered = Deferred.makeUnsafe<void>()
  const gate = Deferred.makeUnsafe<void>()
  const decorate = (topics: Topics["Service"]): Topics["Service"] => ({
    ...topics,
    publish: (topic, payload, options) =>
      topic !== "gated"
        ? topics.publish(topic, payload, options)
        : Deferred.succeed(entered, undefined).pipe(
            Effect.andThen(Deferred.await(gate)),
            Effect.andThen(topics.publish(topic, payload, options)),
          ),
  })
  return { entered: Deferred.await(entered), open: Deferred.succeed(gate, undefined), decorate }
}

it.live("publishes that wait at the same time share requests", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const proxy = yield* Proxy.make(node.port)
    const topics = yield* connect(proxy.url)
    yield* topics.publish("a", "first")
    const before = proxy.receivedBytes()
    yield* Effect.forEach(Array.from({ length: 1000 }), () => topics.publish("a", "0123456789"), {
      concurrency: "unbounded",
      discard: true,
    })
    // A gRPC call of its own costs more than 60 bytes of headers; here a publish is its topic, its payload, and framing.
    expect((proxy.receivedBytes() - before) / 1000).toBeLessThan(30)
    expect(yield* node.topics().head("a")).toEqual(Option.some(1001))
  }),
)

it.live("where no node answers, a publish fails at once and names the URL, with a key or without", () =>
  Effect.gen(function* () {
    const topics = yield* connect("grpc://127.0.0.1:1")
    for (const options of [{}, { key: "k" }]) {
      const error = yield* Effect.flip(topics.publish("a", "b", options))
      expect(error).toBeInstanceOf(Unavailable)
      expect(error.message).toBe("no node answers at grpc://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1")
    }
  }),
)

it.live("a publish whose answer is lost has an unknown outcome, and says so", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const proxy = yield* Proxy.make(node.port)
    const topics = yield* connect(proxy.url)
    yield* topics.publish("a", "1")
    proxy.mute()
    const lost = yield* Effect.forkChild(Effect.exit(topics.publish("a", "2")), { startImmediately: true })
    yield* Effect.repeat(node.topics().head("a"), { until: Option.contains(2) })
    proxy.cut()
    const exit = yield* Fiber.join(lost)
    expect(Exit.findErrorOption(exit).pipe(Option.getOrThrow)).toBeInstanceOf(OutcomeUnknown)
    proxy.restore()
    expect((yield* topics.publish("a", "3")).offset).toBe(3)
  }),
)

it.live("with keys a publish is repeated when the connection comes back, and stored once", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const proxy = yield* Proxy.make(node.port)
    const topics = yield* connect(proxy.url)
    yield* topics.publish("a", "1")
    proxy.mute()
    const publishes = yield* Effect.forkChild(
      Effect.forEach(
        Array.from({ length: 500 }, (_, i) => i),
        (i) => topics.publish("b", `${i}`, { key: `${i}` }),
        {
          concurrency: "unbounded",
        },
      ),
      { startImmediately: true },
    )
    yield* Effect.repeat(node.topics().head("b"), { until: Option.contains(500) })
    proxy.refuse(true)
    proxy.cut()
    proxy.restore()
    proxy.refuse(false)
    const messages = yield* Fiber.join(publishes)
    expect(messages.map(({ offset }) => offset)).toEqual(messages.map((_, i) => i + 1))
    expect(yield* node.topics().head("b")).toEqual(Option.some(500))
  }),
)

it.live("with keys a publish waits for a node that is being restarted, and the user is told", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const events: Array<string> = []
    const topics = yield* connect(node.url, {
      onReconnect: (event) => Effect.sync(() => events.push(`${event.of} ${event._tag}`)),
    })
    yield* topics.publish("a", "1", { key: "1" })
    yield* node.stop
    const waiting = yield* Effect.forkChild(topics.publish("a", "2", { key: "2" }), { startImmediately: true })
    expect(yield* Effect.flip(topics.publish("a", "3"))).toBeInstanceOf(Unavailable)
    yield* node.start
    expect((yield* Fiber.join(waiting)).offset).toBe(2)
    expect(events.slice(0, 2)).toEqual(["publish Lost", "publish Retrying"])
    expect(events.at(-1)).toBe("publish Restored")
  }),
)

it.live("repeating ends after its time: not sent is unavailable, sent is unknown", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const proxy = yield* Proxy.make(node.port)
    const topics = yield* connect(proxy.url, { repeatFor: "300 millis" })
    yield* topics.publish("a", "1")
    proxy.mute()
    const sent = yield* Effect.forkChild(Effect.flip(topics.publish("a", "2", { key: "2" })), {
      startImmediately: true,
    })
    yield* Effect.repeat(node.topics().head("a"), { until: Option.contains(2) })
    proxy.refuse(true)
    proxy.cut()
    // Whatever becomes of this one: it has noticed that the connection is gone.
    yield* Effect.flip(topics.publish("a", "x"))
    const later = yield* Effect.forkChild(Effect.flip(topics.publish("a", "3", { key: "3" })), {
      startImmediately: true,
    })
    expect(yield* Fiber.join(sent)).toBeInstanceOf(OutcomeUnknown)
    expect(yield* Fiber.join(later)).toBeInstanceOf(Unavailable)
  }),
)

it.live("a publish that the node does not answer in time has an unknown outcome", () =>
  Effect.gen(function* () {
    const gate = gated()
    const node = yield* restartable({ decorate: gate.decorate, drain: 0 })
    const topics = yield* connect(node.url, { timeout: "200 millis" })
    expect(yield* Effect.flip(topics.publish("gated", "1"))).toBeInstanceOf(OutcomeUnknown)
  }),
)

it.live("an interrupted publish that was not sent never will be", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const topics = yield* connect(node.url)
    const fiber = yield* Effect.forkChild(topics.publish("a", "1"), { startImmediately: true })
    yield* Fiber.interrupt(fiber)
    expect((yield* topics.publish("a", "2")).offset).toBe(1)
  }),
)

it.live("a node that shuts down answers what it has read, and says what it has not", () =>
  Effect.gen(function* () {
    const gate = gated()
    const node = yield* restartable({ decorate: gate.decorate })
    const topics = yield* connect(node.url)
    const underWay = yield* Effect.forkChild(topics.publish("gated", "1"), { startImmediately: true })
    yield* gate.entered
    const stopping = yield* Effect.forkChild(node.stop, { startImmediately: true })
    yield* gate.open
    expect((yield* Fiber.join(underWay)).offset).toBe(1)
    yield* Fiber.join(stopping)
    expect(yield* Effect.flip(topics.publish("a", "2"))).toBeInstanceOf(Unavailable)
    yield* node.start
    expect((yield* topics.publish("gated", "2")).offset).toBe(2)
  }),
)

it.live("shutting down does not wait longer than the drain time for a publish that hangs", () =>
  Effect.gen(function* () {
    const gate = gated()
    const node = yield* restartable({ decorate: gate.decorate, drain: "200 millis" })
    const topics = yield* connect(node.url)
    const underWay = yield* Effect.forkChild(Effect.flip(topics.publish("gated", "1")), { startImmediately: true })
    yield* gate.entered
    const [took] = yield* Effect.timed(node.stop)
    expect(Duration.toMillis(took)).toBeLessThan(2000)
    expect(yield* Fiber.join(underWay)).toBeInstanceOf(OutcomeUnknown)
  }),
)

it.live("closing the client ends what waits", () =>
  Effect.gen(function* () {
    const gate = gated()
    const node = yield* restartable({ decorate: gate.decorate, drain: 0 })
    const scope = yield* Scope.make()
    const topics = yield* Scope.provide(connect(node.url), scope)
    const underWay = yield* Effect.forkChild(Effect.flip(topics.publish("gated", "1")), { startImmediately: true })
    yield* gate.entered
    yield* Scope.close(scope, Exit.void)
    expect(yield* Fiber.join(underWay)).toBeInstanceOf(OutcomeUnknown)
    expect(yield* Effect.flip(topics.publish("a", "1"))).toBeInstanceOf(Unavailable)
  }),
)
