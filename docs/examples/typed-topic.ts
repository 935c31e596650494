// A topic whose payloads are values of a Schema. What does not decode is a value too, and ends nothing.
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema, Stream } from "effect"
import { Topics, TypedTopic } from "millrace"
import * as Memory from "millrace/memory"

// #region topic
const Order = Schema.Struct({ id: Schema.Int, total: Schema.Finite })

const Placed = TypedTopic.make("orders/placed", Order)
// #endregion

// #region publish
const publishing = Effect.gen(function* () {
  yield* Placed.publish({ id: 1, total: 9.5 })
  yield* Placed.publishAll([
    { id: 2, total: 20 },
    { id: 3, total: 7.25 },
  ])
})
// #endregion

// #region subscribe
const reading = Placed.subscribe({ from: "start", tombstones: true }).pipe(
  Stream.take(4),
  Stream.runForEach((received) => {
    switch (received._tag) {
      case "Decoded":
        return Console.log(`order ${received.value.id}: ${received.value.total.toFixed(2)}`)
      case "Undecodable":
        return Console.log(`offset ${received.message.offset} is no order: ${received.error.message}`)
      case "Deleted":
        return Console.log(`offset ${received.message.offset} was deleted`)
    }
  }),
)
// #endregion

const program = Effect.gen(function* () {
  const topics = yield* Topics.Topics
  yield* publishing
  // Somebody else's program, of another version or in another language.
  yield* topics.publish(Placed.topic, '{"id":"four"}')
  yield* topics.deleteRange(Placed.topic, 2, 2)
  yield* reading
})

program.pipe(Effect.provide(Topics.layer), Effect.provide(Memory.layer()), NodeRuntime.runMain)
