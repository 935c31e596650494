// The same app on a SQLite file or on PostgreSQL: one layer is another, and the rest does not know.
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Layer, Option, Stream } from "effect"
import { Queues, Topics } from "millrace"
import * as Postgres from "millrace/postgres"
import * as Sqlite from "millrace/sqlite"

const app = Effect.gen(function* () {
  const topics = yield* Topics.Topics
  const queues = yield* Queues.Queues
  yield* topics.publish("orders/eu", "1 lamp")
  yield* topics.publish("orders/us", "2 chairs")
  yield* queues.enqueue("parcels", "1 lamp")

  yield* topics.subscribe("orders/+", { from: "start" }).pipe(
    Stream.take(2),
    Stream.runForEach((order) => Console.log(`${order.topic}: ${Buffer.from(order.payload)}`)),
  )
  const parcels = yield* queues.items("parcels")
  yield* Console.log(`${parcels.length} parcel to pack`)
})

// #region layers
const OnSqlite = Sqlite.layer({ path: "orders.db" })

const program = Effect.gen(function* () {
  const url = yield* Config.option(Config.Redacted("DATABASE_URL"))
  const Storage = Option.match(url, {
    onNone: () => OnSqlite,
    onSome: (url) => Postgres.layer({ url }),
  })
  const Bus = Layer.provide(Layer.mergeAll(Topics.layer, Queues.layer), Storage)
  return yield* Effect.provide(app, Bus)
})
// #endregion

NodeRuntime.runMain(program)
