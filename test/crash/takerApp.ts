/**
 * A taker in a process of its own: prints each item that it does. What is called poison fails.
 *
 *     takerApp.ts URL QUEUE
 */
import { Effect } from "effect"
import { layerQueues } from "../../src/protocol/grpc/index.ts"
import { Queues } from "../../src/queues/index.ts"

const [url = "", queue = ""] = process.argv.slice(2)

const taking = Effect.gen(function* () {
  const queues = yield* Queues
  return yield* queues.take(
    queue,
    ({ attempts, payload, sequence }) => {
      const content = Buffer.from(payload).toString()
      process.stdout.write(`${sequence} ${attempts} ${content}\n`)
      return content.startsWith("poison") ? Effect.fail("it is poison") : Effect.void
    },
    { attemptsMax: 3, backoff: () => 5 },
  )
})

// The node may be down, or still believe in a taker that was killed.
Effect.runFork(
  taking.pipe(
    Effect.retry({ while: ({ _tag }) => _tag === "Unavailable" || _tag === "QueueTaken" }),
    Effect.provide(layerQueues({ url })),
  ),
)
