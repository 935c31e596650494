/**
 * Work queues over SQLite, 100-byte payloads, every commit synced: against the same items through bare `node:sqlite`.
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

export const run = async ({ full, report }: SuiteOptions): Promise<void> => {
  const count = full ? 200_000 : 20_000
  const times = full ? 9 : 5
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
  await runtime.dispose()
  bare.close()
  rmSync(directory, { recursive: true, force: true })
}
