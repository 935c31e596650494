import { queryObjects, writeHeapSnapshot } from "node:v8"
import { Effect, Layer, Stream, Deferred } from "effect"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import * as Topics from "../../src/topics/index.ts"
import { payloadOf, topicOf } from "./Tape.ts"
const show = (what: string) => {
  globalThis.gc!()
  globalThis.gc!()
  const m = process.memoryUsage()
  console.log(
    what,
    (m.heapUsed / 1e6).toFixed(1),
    (m.external / 1e6).toFixed(1),
    queryObjects(Buffer, { format: "count" }),
  )
}
const program = Effect.gen(function* () {
  const topics = yield* Topics.Topics
  const pub = (from: number, to: number) =>
    Effect.forEach(
      Array.from({ length: (to - from) / 1000 }, (_, b) => from + b * 1000),
      (first) =>
        topics.publishAll(
          Array.from({ length: 1000 }, (_, i) => ({ topic: topicOf(first + i), payload: payloadOf(first + i) })),
        ),
      { concurrency: 2, discard: true },
    )
  yield* pub(0, 100000)
  show("none")
  const live = yield* Deferred.make<void>()
  yield* topics.subscribe("load/#", { onLive: Effect.asVoid(Deferred.succeed(live, undefined)) }).pipe(
    Stream.runForEachArray(() => Effect.never),
    Effect.forkScoped,
  )
  yield* Deferred.await(live)
  yield* pub(0, 300000)
  show("stopped")
  if (process.argv[3]) writeHeapSnapshot("/tmp/ff/h.heapsnapshot")
})
await Effect.runPromise(
  program.pipe(
    Effect.scoped,
    Effect.provide(Topics.layer.pipe(Layer.provide(Sqlite.layer({ path: process.argv[2]! })))),
  ),
)
