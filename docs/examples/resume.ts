// A consumer that goes on where it was, also when it was killed: the store keeps its place under a name.
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Fiber, Layer, Schedule } from "effect"
import { type Message, Topics } from "millrace"
import * as Sqlite from "millrace/sqlite"

let paper = 2

// #region handler
const printInvoice = (message: Message.Message) =>
  Effect.gen(function* () {
    if (paper-- === 0) return yield* Effect.fail("out of paper" as const)
    yield* Console.log(`invoice ${message.offset} for order ${Buffer.from(message.payload)}`)
  })
// #endregion

// #region consume
const invoicing = Effect.gen(function* () {
  const topics = yield* Topics.Topics
  yield* topics.consume("invoices", "orders/#", printInvoice)
})
// #endregion

// #region retry
const untiring = invoicing.pipe(
  Effect.tapError((error) => Console.log(`invoices stopped: ${error}`)),
  Effect.retry(Schedule.exponential("100 millis")),
)
// #endregion

const TopicsLive = Topics.layer.pipe(Layer.provide(Sqlite.layer({ path: "orders.db" })))

const program = Effect.gen(function* () {
  const topics = yield* Topics.Topics
  yield* topics.publishAll(["1", "2", "3"].map((payload) => ({ topic: "orders/placed", payload })))
  const consumer = yield* Effect.forkChild(untiring)
  yield* Effect.sleep("1 second")
  // It ends when all that it has handled is committed.
  yield* Fiber.interrupt(consumer)
})

program.pipe(Effect.provide(TopicsLive), NodeRuntime.runMain)
