/**
 * An app whose spans go to a collector: `tracedApp.ts publish|follow|consume|enqueue|take COLLECTOR NODE`. It does one thing
 * with the node, within a span of its own or within that of what comes, and ends.
 */
import { Deferred, Effect, Layer, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"
import { layerQueues, layerTopics } from "../../src/protocol/grpc/index.ts"
import * as Queues from "../../src/queues/index.ts"
import * as Topics from "../../src/topics/index.ts"

const [, , mode = "", collector = "", url = ""] = process.argv

const programs: Readonly<Record<string, Effect.Effect<unknown, unknown, Topics.Topics | Queues.Queues>>> = {
  publish: Effect.gen(function* () {
    const topics = yield* Topics.Topics
    yield* topics.publish("orders/eu", "hello", { key: "k" }).pipe(Effect.withSpan("checkout"))
    // The same again, in a trace of its own: it is the same message all the same.
    yield* topics.publish("orders/eu", "hello", { key: "k" })
  }),
  follow: Effect.gen(function* () {
    const topics = yield* Topics.Topics
    yield* topics.subscribe("orders/#", { from: "start" }).pipe(
      Stream.take(1),
      Stream.runForEach((message) => Topics.handling(message)(Effect.void.pipe(Effect.withSpan("pack")))),
    )
  }),
  consume: Effect.gen(function* () {
    const topics = yield* Topics.Topics
    const done = yield* Deferred.make<void>()
    const consuming = topics.consume("billing", "orders/#", () =>
      Deferred.succeed(done, undefined).pipe(Effect.withSpan("bill")),
    )
    yield* Effect.raceFirst(consuming, Deferred.await(done))
  }),
  enqueue: Effect.flatMap(Queues.Queues, (queues) =>
    queues.enqueue("mails", "hello").pipe(Effect.withSpan("register")),
  ),
  take: Effect.gen(function* () {
    const queues = yield* Queues.Queues
    const done = yield* Deferred.make<void>()
    const taking = queues.take("mails", () => Deferred.succeed(done, undefined).pipe(Effect.withSpan("send mail")))
    yield* Effect.raceFirst(taking, Deferred.await(done))
  }),
}

const telemetry = Otlp.layerJson({ baseUrl: collector, resource: { serviceName: mode } }).pipe(
  Layer.provide(FetchHttpClient.layer),
)

const services = Layer.merge(layerTopics({ url }), layerQueues({ url }))

await Effect.runPromise(
  programs[mode]!.pipe(Effect.provide(Layer.provide(services, telemetry)), Effect.provide(telemetry)),
)
