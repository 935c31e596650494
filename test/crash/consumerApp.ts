/**
 * An application that consumes under a name, and is killed: `consumerApp.ts URL FILE HOW`. Whatever it has handled is a
 * line of the file: life, position, topic, offset, id, content. It tries again whatever goes wrong.
 *
 * HOW is `one` for one message after the other, `chunks`, or `careless`: that one moves the cursor first, and handles then.
 */
import { appendFileSync } from "node:fs"
import { Effect, Schedule, Stream } from "effect"
import type { Message } from "../../src/domain/Message.ts"
import { layerTopics } from "../../src/protocol/grpc/index.ts"
import { whileHeld } from "../../src/topics/consuming.ts"
import { Topics } from "../../src/topics/index.ts"

const [url = "", file = "", how = "one"] = process.argv.slice(2)
const name = "kill me"
const filter = "load/#"
/** Each attempt is a life of its own: it begins where the cursor is. */
let attempt = 0
let life = ""

const handle = (messages: ReadonlyArray<Message>) =>
  Effect.sync(() => {
    const lines = messages.map(({ id, offset, payload, position, topic }) =>
      JSON.stringify([life, position, topic, offset, id, Buffer.from(payload).toString()]),
    )
    appendFileSync(file, lines.map((line) => `${line}\n`).join(""))
  })

const consume = Effect.gen(function* () {
  const topics = yield* Topics
  life = `${process.pid}.${++attempt}`
  if (how === "one") return yield* topics.consume(name, filter, (message) => handle([message]))
  if (how === "chunks") return yield* topics.consumeChunks(name, filter, handle)
  return yield* whileHeld(topics.holdCursor(name, filter), (held) =>
    Stream.runForEachArray(held.messages, (messages) =>
      Effect.gen(function* () {
        held.handled(messages[messages.length - 1]!.position)
        yield* held.settled
        yield* Effect.sleep(20)
        yield* handle(messages)
      }),
    ),
  )
})

await Effect.runPromise(
  consume.pipe(Effect.retry(Schedule.spaced("50 millis")), Effect.provide(layerTopics({ url, timeout: "5 seconds" }))),
)
