// The same app in one process, or against a node elsewhere: the layer decides, the app does not know.
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Layer, Option, Stream } from "effect"
import { Topics } from "millrace"
import * as Grpc from "millrace/grpc"
import * as Sqlite from "millrace/sqlite"

const app = Effect.gen(function* () {
  const topics = yield* Topics.Topics
  yield* topics.publish("sensors/kitchen", "21.5")
  yield* topics.publish("sensors/cellar", "12.0")
  yield* topics.subscribe("sensors/+", { from: "start" }).pipe(
    Stream.take(2),
    Stream.runForEach((message) => Console.log(`${message.topic}: ${Buffer.from(message.payload)}`)),
  )
})

// #region layers
const Embedded = Topics.layer.pipe(Layer.provide(Sqlite.layer({ path: "sensors.db" })))

const Remote = (url: string) => Grpc.layerTopics({ url })

const program = Effect.gen(function* () {
  const url = yield* Config.option(Config.String("MILLRACE_URL"))
  return yield* Option.match(url, {
    onNone: () => Effect.provide(app, Embedded),
    onSome: (url) => Effect.provide(app, Remote(url)),
  })
})
// #endregion

NodeRuntime.runMain(program)
