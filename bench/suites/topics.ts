/**
 * Durable topics over SQLite, 100-byte payloads, every commit synced: against the same rows through bare `node:sqlite`.
 */
import { Deferred, Effect, Fiber, Stream } from "effect"
import { join } from "node:path"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import { BareSqlite } from "../baselines/bareSqlite.ts"
import {
  batchSize,
  Bus,
  ids,
  makeDirectory,
  payload,
  payloads,
  publishBatches,
  publishConcurrently,
  replay,
  type TopicsService,
} from "../bus.ts"
import type { SuiteOptions } from "../main.ts"
import { comparePair, median, type Pair, rate } from "../measure.ts"

/** Payloads and ids of a batch. */
const batchBytes = Buffer.alloc(batchSize * (payload.length + 36), "x")

/** Topics over a new file, and what removes it. */
const makeBus = (): readonly [Bus, () => void] => {
  const [directory, remove] = makeDirectory()
  return [new Bus(Sqlite.layer({ path: join(directory, "bench.sqlite") })), remove]
}

/** A bare database, and what removes it. */
const makeBare = (): readonly [BareSqlite, () => void] => {
  const [directory, remove] = makeDirectory()
  const bare = new BareSqlite(join(directory, "bare.sqlite"))
  return [bare, () => (bare.close(), remove())]
}

const bareCommits = (bare: BareSqlite, count: number): void => {
  for (let i = 0; i < count; i += batchSize) bare.commit(payloads, ids)
}

export const run = async ({ full, report, times }: SuiteOptions): Promise<void> => {
  const count = full ? 1_000_000 : 100_000
  const [bus, removeBus] = makeBus()
  const [bare, closeBare] = makeBare()
  const replayed = 2 * count
  const against = "bare node:sqlite, a row a message, 1,000 rows a commit"
  const compare = async (pair: Pair) => report(await comparePair("topics", pair, times))

  await compare({
    name: "publish concurrent",
    unit: "messages/s",
    against,
    ours: () => rate(count, () => bus.run((topics) => publishConcurrently(topics, 1000, count / 1000))),
    baseline: () => rate(count, () => bareCommits(bare, count)),
  })
  await compare({
    name: "publishAll",
    unit: "messages/s",
    against,
    ours: () => rate(count, () => bus.run((topics) => publishBatches(topics, count))),
    baseline: () => rate(count, () => bareCommits(bare, count)),
  })
  await compare({
    name: "publishAll, against bytes",
    unit: "messages/s",
    against: "bare node:sqlite, the bytes of 1,000 messages as one value a commit",
    ours: () => rate(count, () => bus.run((topics) => publishBatches(topics, count))),
    baseline: () =>
      rate(count, () => {
        for (let i = 0; i < count; i += batchSize) bare.commitBatch(batchBytes)
      }),
  })
  await compare({
    name: "publish lone latency",
    unit: "µs",
    against: "one bare commit of one row",
    ours: () => bus.run((topics) => medianMicros(300, () => topics.publish("bench", payload))),
    baseline: () => Promise.resolve(medianMicrosSync(300, () => bare.commit([payload], ids))),
  })
  await compare({
    name: "replay",
    unit: "messages/s",
    against: "bare pages of 1,000 rows",
    ours: () => rate(replayed, () => bus.run((topics) => replay(topics, replayed))),
    baseline: () => rate(replayed, () => bare.readPages(1000, replayed, "objects")),
  })
  await compare({
    name: "replay, against arrays",
    unit: "messages/s",
    against: "bare pages of 1,000 rows, each an array instead of an object",
    ours: () => rate(replayed, () => bus.run((topics) => replay(topics, replayed))),
    baseline: () => rate(replayed, () => bare.readPages(1000, replayed, "arrays")),
  })
  for (const subscribers of [1, 10, 100]) await compare(liveTo(bus, subscribers, count))
  await bus.close()
  removeBus()
  closeBare()
  await growth(full, times, report)
}

const medianMicros = (
  count: number,
  operation: () => Effect.Effect<unknown, unknown>,
): Effect.Effect<number, unknown> =>
  Effect.gen(function* () {
    const micros: Array<number> = []
    for (let i = 0; i < count; i++) {
      const start = performance.now()
      yield* operation()
      micros.push((performance.now() - start) * 1000)
    }
    return median(micros)
  })

const medianMicrosSync = (count: number, operation: () => void): number => {
  const micros: Array<number> = []
  for (let i = 0; i < count; i++) {
    const start = performance.now()
    operation()
    micros.push((performance.now() - start) * 1000)
  }
  return median(micros)
}

/** Publishes in batches while so many subscribers follow: messages published a second, all of them delivered. */
const liveTo = (bus: Bus, subscribers: number, count: number): Pair => ({
  name: `live to ${subscribers}`,
  unit: "messages/s",
  against: "the same publishes without a subscriber",
  ours: () =>
    bus.run((topics) =>
      Effect.gen(function* () {
        const ready = yield* Effect.forEach(Array.from({ length: subscribers }), () => follow(topics, count))
        const start = performance.now()
        yield* publishBatches(topics, count)
        yield* Fiber.joinAll(ready)
        return (count / (performance.now() - start)) * 1000
      }),
    ),
  baseline: () => rate(count, () => bus.run((topics) => publishBatches(topics, count))),
})

/** A subscriber that is live when this returns, and ends after so many messages. */
const follow = (topics: TopicsService, count: number) =>
  Effect.gen(function* () {
    const live = yield* Deferred.make<void>()
    let seen = 0
    const fiber = yield* topics.subscribe("bench", { onLive: Effect.asVoid(Deferred.succeed(live, undefined)) }).pipe(
      Stream.chunks,
      Stream.takeUntil((messages) => (seen += messages.length) >= count),
      Stream.runDrain,
      Effect.forkChild,
    )
    yield* Deferred.await(live)
    return fiber
  })

/** Publishing where much is stored already, against an empty store. */
const growth = async (full: boolean, times: number, report: SuiteOptions["report"]): Promise<void> => {
  const stored = full ? 10_000_000 : 1_000_000
  const count = 100_000
  const [grown, removeGrown] = makeBus()
  await grown.run((topics) => publishBatches(topics, stored))
  const pair: Pair = {
    name: "growth",
    unit: "messages/s",
    against: `an empty store, where ours holds ${stored.toLocaleString("en")} messages`,
    ours: () => rate(count, () => grown.run((topics) => publishBatches(topics, count))),
    baseline: async () => {
      const [empty, removeEmpty] = makeBus()
      await empty.run((topics) => topics.heads)
      const figure = await rate(count, () => empty.run((topics) => publishBatches(topics, count)))
      await empty.close()
      removeEmpty()
      return figure
    },
  }
  report(await comparePair("topics", pair, times))
  await grown.close()
  removeGrown()
}
