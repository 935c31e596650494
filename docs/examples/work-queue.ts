// A work queue: items are done in order, tried again when they fail, and put aside when they fail too often.
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Fiber, Layer } from "effect"
import { type QueueItem, Queues } from "millrace"
import * as Sqlite from "millrace/sqlite"

// #region enqueue
const enqueueing = Effect.gen(function* () {
  const queues = yield* Queues.Queues
  yield* queues.enqueue("mails", "ada@example.org", { topic: "welcome" })
  yield* queues.enqueue("mails", "nobody", { topic: "welcome" })
  yield* queues.enqueue("mails", "bob@example.org", { topic: "welcome" })
})
// #endregion

// #region handler
const send = (item: QueueItem.QueueItem) =>
  Effect.gen(function* () {
    const address = Buffer.from(item.payload).toString()
    yield* Console.log(`attempt ${item.attempts + 1}: ${address}`)
    if (!address.includes("@")) return yield* Effect.fail(new Error(`${address} is no address`))
  })
// #endregion

// #region take
const working = Effect.gen(function* () {
  const queues = yield* Queues.Queues
  yield* queues.take("mails", send, { attemptsMax: 2, backoff: () => "10 millis" })
})
// #endregion

// #region dead
const reporting = Effect.gen(function* () {
  const queues = yield* Queues.Queues
  for (const item of yield* queues.items("mails.dead")) {
    yield* Console.log(`dead after ${item.death?.attempts} attempts: ${item.death?.reason}`)
  }
})
// #endregion

const program = Effect.gen(function* () {
  yield* enqueueing
  const worker = yield* Effect.forkChild(working)
  yield* Effect.sleep("1 second")
  yield* Fiber.interrupt(worker)
  yield* reporting
})

// #region layer
const QueuesLive = Queues.layer.pipe(Layer.provide(Sqlite.layer({ path: "work.db" })))
// #endregion

program.pipe(Effect.provide(QueuesLive), NodeRuntime.runMain)
