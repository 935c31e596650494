/**
 * The slow subscriber in the node's own process: `slowSubscriberApp.ts PATH MESSAGES with|without TOPICS`, over SQLite in threads
 * of its own. Prints its report as JSON. Run it with `--expose-gc`.
 */
import { Effect, Layer } from "effect"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import * as Topics from "../../src/topics/index.ts"
import { memory } from "./memory.ts"
import { slowSubscriber } from "./slowSubscriber.ts"

const [path = "", messages, mode, topicsChecked] = process.argv.slice(2)

const program = Effect.gen(function* () {
  const topics = yield* Topics.Topics
  const report = yield* slowSubscriber({
    publisher: topics,
    fast: topics,
    stopped: mode === "with" ? topics : undefined,
    messages: Number(messages),
    topicsChecked: Number(topicsChecked),
    memory: (collect) => Effect.sync(() => memory(collect)),
  })
  yield* Effect.sync(() => process.stdout.write(JSON.stringify(report)))
})

await Effect.runPromise(program.pipe(Effect.provide(Topics.layer.pipe(Layer.provide(Sqlite.layer({ path }))))))
