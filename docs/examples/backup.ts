// An app that takes a backup of its own store while it goes on, and looks whether the backup is healthy.
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Stream } from "effect"
import { Topics } from "millrace"
import * as Sqlite from "millrace/sqlite"

const TopicsLive = Topics.layer.pipe(Layer.provide(Sqlite.layer({ path: "orders.db" })))

// #region backup
const backup = Sqlite.backup({ path: "orders.db", to: "orders-monday.db" })

const findings = Sqlite.examine("orders-monday.db").pipe(
  Stream.filter((event) => event._tag === "Found"),
  Stream.runCount,
)
// #endregion

const program = Effect.gen(function* () {
  const topics = yield* Topics.Topics
  yield* topics.publish("orders/placed", "1")
  yield* backup
  yield* topics.publish("orders/placed", "2")
  yield* Console.log(`${yield* findings} findings in the backup`)
})

NodeRuntime.runMain(program.pipe(Effect.provide(TopicsLive)))
