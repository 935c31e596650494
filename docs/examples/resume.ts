// A consumer that saves how far it has come, and goes on from there when it is started again: at least once.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Stream } from "effect"
import { Cursor, type Message, Topics } from "millrace"
import * as Sqlite from "millrace/sqlite"

const file = "invoices.cursor"

// #region cursor
const savedPlace = Effect.suspend((): Effect.Effect<Cursor.Cursor | "start", unknown> =>
  existsSync(file) ? Cursor.parse(readFileSync(file, "utf8")) : Effect.succeed("start"),
)

/** Written beside the file and renamed, so that a crash leaves the old place or the new one. */
const savePlace = (cursor: Cursor.Cursor) =>
  Effect.sync(() => {
    writeFileSync(`${file}.new`, Cursor.format(cursor))
    renameSync(`${file}.new`, file)
  })
// #endregion

const write = (message: Message.Message) =>
  Console.log(`invoice ${message.offset} for order ${Buffer.from(message.payload)}`)

// #region consume
/** Works on the next messages, saving its place after each: what is done when the app dies may be done once more. */
const consume = (count: number) =>
  Effect.gen(function* () {
    const topics = yield* Topics.Topics
    const { incarnation } = yield* topics.info
    yield* topics.subscribe("orders/#", { from: yield* savedPlace }).pipe(
      Stream.take(count),
      Stream.runForEach((message) =>
        Effect.andThen(write(message), savePlace({ incarnation, position: message.position })),
      ),
    )
  })
// #endregion

const TopicsLive = Topics.layer.pipe(Layer.provide(Sqlite.layer({ path: "orders.db" })))

const program = Effect.gen(function* () {
  const publishing = Effect.gen(function* () {
    const topics = yield* Topics.Topics
    yield* topics.publishAll(["1", "2", "3"].map((payload) => ({ topic: "orders/placed", payload })))
  })
  // Each `provide` opens the store and closes it: what an app does between two starts.
  yield* publishing.pipe(Effect.provide(TopicsLive))
  yield* consume(2).pipe(Effect.provide(TopicsLive))
  yield* Console.log("started again")
  yield* consume(1).pipe(Effect.provide(TopicsLive))
})

NodeRuntime.runMain(program)
