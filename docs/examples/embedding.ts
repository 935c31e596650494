// A bus inside an app, kept in one SQLite file: publish, read everything from the start, follow what comes.
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Fiber, Layer, Stream } from "effect"
import { Topics } from "millrace"
import * as Sqlite from "millrace/sqlite"

const program = Effect.gen(function* () {
  const topics = yield* Topics.Topics
  yield* topics.publish("greetings/en", "hello")

  const reader = yield* topics.subscribe("greetings/#", { from: "start" }).pipe(
    Stream.take(3),
    Stream.runForEach((message) => Console.log(`${message.topic} ${message.offset}: ${Buffer.from(message.payload)}`)),
    Effect.forkChild,
  )
  yield* topics.publish("greetings/de", "guten Tag")
  yield* topics.publish("greetings/en", "good evening", { headers: { from: "London" } })
  yield* Fiber.join(reader)
})

const TopicsLive = Topics.layer.pipe(Layer.provide(Sqlite.layer({ path: "greetings.db" })))

program.pipe(Effect.provide(TopicsLive), NodeRuntime.runMain)
