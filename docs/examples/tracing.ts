// A trace from who publishes to who works on it. Here a tracer that prints; in an app, effect's Otlp.layerJson.
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Option, Stream, Tracer } from "effect"
import { type Message, Topics } from "millrace"
import * as Memory from "millrace/memory"

const spans: Array<Tracer.Span> = []

const tracer = Tracer.make({
  span: (options) => {
    const span = new Tracer.NativeSpan(options)
    spans.push(span)
    return span
  },
})

const depth = (span: Tracer.Span): number => {
  const parent = spans.find(({ spanId }) => spanId === Option.getOrUndefined(span.parent)?.spanId)
  return parent === undefined ? 0 : depth(parent) + 1
}

// #region handling
const pack = (message: Message.Message) =>
  Console.log(`packing ${Buffer.from(message.payload).toString()}`).pipe(Topics.handling(message))
// #endregion

const packing = Effect.gen(function* () {
  const topics = yield* Topics.Topics
  yield* topics.subscribe("orders/#", { from: "start" }).pipe(Stream.take(1), Stream.runForEach(pack))
})

const program = Effect.gen(function* () {
  const topics = yield* Topics.Topics
  yield* topics.publish("orders/eu", "order 1").pipe(Effect.withSpan("checkout"))
  yield* packing
  const [first] = spans
  for (const span of spans.filter(({ traceId }) => traceId === first?.traceId)) {
    yield* Console.log(`${"  ".repeat(depth(span))}${span.name}`)
  }
})

program.pipe(
  Effect.provide(Topics.layer.pipe(Layer.provide(Memory.layer()))),
  Effect.provideService(Tracer.Tracer, tracer),
  NodeRuntime.runMain,
)
