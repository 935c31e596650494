/**
 * Work queues over SQLite, 100-byte payloads, every commit synced: against the same items through bare `node:sqlite`,
 * and against BullMQ on a Redis that syncs as well.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Queues from "../../src/queues/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import { BareQueue } from "../baselines/bareQueue.ts"
import { BullQueue } from "../baselines/bullQueue.ts"
import { hasRedis, startRedis } from "../baselines/redisServer.ts"
import type { SuiteOptions } from "../main.ts"
import { comparePair, type Pair, rate } from "../measure.ts"

const payload = Buffer.alloc(100, "x")
const batchSize = 1000
const payloads = Array.from({ length: batchSize }, () => payload)
const ids = payloads.map(() => randomUUID())
/** Items that a taker of ours reads ahead: the baseline takes as many at once. */
const taken = 100

type QueuesService = Queues.Queues["Service"]

/** A thousand fibers, each enqueueing one item after another. */
const enqueueConcurrently = (queues: QueuesService, count: number) =>
  Effect.gen(function* () {
    const enqueuer = Effect.gen(function* () {
      for (let i = 0; i < count / batchSize; i++) yield* queues.enqueue("work", payload)
    })
    const fibers = yield* Effect.forEach(payloads, () => Effect.forkChild(enqueuer))
    yield* Fiber.joinAll(fibers)
  })

/** Takes so many items. */
const takeSome = (queues: QueuesService, count: number) =>
  Effect.gen(function* () {
    const done = yield* Deferred.make<void>()
    let left = count
    const handler = () =>
      Effect.suspend(() => (--left === 0 ? Effect.asVoid(Deferred.succeed(done, undefined)) : Effect.void))
    yield* Effect.raceFirst(queues.take("work", handler), Deferred.await(done))
  })

export const run = async ({ full, report, times }: SuiteOptions): Promise<void> => {
  const count = full ? 200_000 : 50_000
  const directory = mkdtempSync(join(tmpdir(), "millrace-bench-"))
  const store = Sqlite.layer({ path: join(directory, "ours.sqlite") })
  const runtime = ManagedRuntime.make(Queues.layer.pipe(Layer.provide(store)))
  const use = <A>(effect: (queues: QueuesService) => Effect.Effect<A, unknown>): Promise<A> =>
    runtime.runPromise(Effect.flatMap(Queues.Queues, effect))
  const bare = new BareQueue(join(directory, "bare.sqlite"))
  const compare = async (pair: Pair) => report(await comparePair("queues", pair, times))

  await compare({
    name: "enqueue",
    unit: "items/s",
    against: "bare node:sqlite, a row an item, 1,000 rows a commit",
    ours: () => rate(count, () => use((queues) => enqueueConcurrently(queues, count))),
    baseline: () =>
      rate(count, () => {
        for (let i = 0; i < count; i += batchSize) bare.enqueue(payloads, ids)
      }),
  })
  // One round is thrown away, and each round takes what was enqueued in one.
  await compare({
    name: "take and ack",
    unit: "items/s",
    against: "bare node:sqlite, 100 rows read, then deleted in a commit",
    ours: () => rate(count, () => use((queues) => takeSome(queues, count))),
    baseline: () =>
      rate(count, () => {
        for (let i = 0; i < count; i += taken) bare.take(taken)
      }),
  })
  bare.close()

  if (hasRedis()) {
    // It is so much slower that it gets fewer.
    const jobs = full ? 20_000 : 2_000
    const redis = await startRedis(directory)
    const bull = new BullQueue(redis.socket)
    const texts = payloads.map((bytes) => bytes.toString())
    await compare({
      name: "enqueue, and BullMQ",
      unit: "items/s",
      against: "BullMQ on Redis, appendfsync always, 1,000 jobs a call",
      ours: () => rate(count, () => use((queues) => enqueueConcurrently(queues, count))),
      baseline: () =>
        rate(jobs, async () => {
          for (let i = 0; i < jobs; i += batchSize) await bull.enqueue(texts)
        }),
    })
    await bull.clear()
    await compare({
      name: "take and ack, and BullMQ",
      unit: "items/s",
      against: "BullMQ on Redis, appendfsync always, one job after the other",
      ours: () => rate(count, () => use((queues) => takeSome(queues, count))),
      baseline: async () => {
        // Just these: a worker that closes keeps the next job for a while.
        for (let i = 0; i < jobs; i += batchSize) await bull.enqueue(texts)
        return rate(jobs, () => bull.take(jobs))
      },
    })
    await bull.close()
    await redis.stop()
  } else {
    console.error("There is no redis-server here, so BullMQ is left out.")
  }
  await runtime.dispose()
  rmSync(directory, { recursive: true, force: true })
}
