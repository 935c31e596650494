/**
 * gRPC over loopback, client and server in one process, 100-byte payloads, SQLite behind it with every commit synced.
 */
import { Effect, Fiber, Layer, ManagedRuntime, Stream } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { GrpcServer, layerServer, layerTopics } from "../../src/protocol/grpc/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import * as Topics from "../../src/topics/index.ts"
import { startEcho, unaryPublishes } from "../baselines/bareGrpc.ts"
import type { SuiteOptions } from "../main.ts"
import { comparePair, rate } from "../measure.ts"

const payload = Buffer.alloc(100, "x")
/** Calls under way at a time. */
const window = 256

export const run = async ({ full, report, times }: SuiteOptions): Promise<void> => {
  const unaryCount = full ? 50_000 : 5_000
  const batchedCount = full ? 500_000 : 50_000
  const directory = mkdtempSync(join(tmpdir(), "millrace-bench-"))
  const store = Sqlite.layer({ path: join(directory, "bench.sqlite") })
  const node = ManagedRuntime.make(
    layerServer({ host: "127.0.0.1", port: 0 }).pipe(Layer.provide(Topics.layer), Layer.provide(store)),
  )
  const { port } = await node.runPromise(GrpcServer)
  const address = `127.0.0.1:${port}`
  const client = ManagedRuntime.make(layerTopics({ url: `grpc://${address}` }))
  const [echo, closeEcho] = await startEcho()
  const unary = () => unaryPublishes(address, unaryCount, window)

  report(
    await comparePair(
      "grpc",
      {
        name: "msgbus.v1 unary publish",
        unit: "messages/s",
        against: "bare grpc-js, echoing, storing nothing",
        ours: unary,
        baseline: () => unaryPublishes(echo, unaryCount, window),
      },
      times,
    ),
  )
  report(
    await comparePair(
      "grpc",
      {
        name: "millrace.v1 publish",
        unit: "messages/s",
        against: "msgbus.v1 unary publish",
        ours: () => rate(batchedCount, () => client.runPromise(publishConcurrently(batchedCount))),
        baseline: unary,
      },
      times,
    ),
  )
  report(
    await comparePair(
      "grpc",
      {
        name: "millrace.v1 subscribe",
        unit: "messages/s",
        against: "msgbus.v1 unary publish",
        ours: () => rate(batchedCount, () => client.runPromise(replay(batchedCount))),
        baseline: unary,
      },
      times,
    ),
  )

  closeEcho()
  await client.dispose()
  await node.dispose()
  rmSync(directory, { recursive: true, force: true })
}

const publishConcurrently = (count: number) =>
  Effect.gen(function* () {
    const topics = yield* Topics.Topics
    const publishers = 1000
    const publisher = Effect.gen(function* () {
      for (let i = 0; i < count / publishers; i++) yield* topics.publish("bench", payload)
    })
    const fibers = yield* Effect.forEach(Array.from({ length: publishers }), () => Effect.forkChild(publisher))
    yield* Fiber.joinAll(fibers)
  })

const replay = (count: number) =>
  Effect.gen(function* () {
    const topics = yield* Topics.Topics
    let seen = 0
    yield* topics.subscribe("bench", { from: "start" }).pipe(
      Stream.chunks,
      Stream.takeUntil((messages) => (seen += messages.length) >= count),
      Stream.runDrain,
    )
  })
