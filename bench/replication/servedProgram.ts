/**
 * A node in a process of its own that others copy: publishes when it is told to, and tells when it did (`ServedNode.ts`).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { join } from "node:path"
import { GrpcServer, layerServer } from "../../src/protocol/grpc/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import * as Topics from "../../src/topics/index.ts"
import { makeDirectory, payload, publishBatches } from "../bus.ts"
import type { Command, Published, Ready } from "./ServedNode.ts"

const [directory, remove] = makeDirectory()
const node = { tenant: "bench", line: "replication", device: "served" }
const runtime = ManagedRuntime.make(
  layerServer({ host: "127.0.0.1", port: 0 }).pipe(
    Layer.provideMerge(Topics.layer),
    Layer.provide(Sqlite.layer({ path: join(directory, "served.sqlite"), node })),
  ),
)
const services = await runtime.context()
const topics = Context.get(services, Topics.Topics)

/** One message after the other, with a pause after each. The clock is one that all processes share. */
const publishLone = (topic: string, count: number, pauseMillis: number) =>
  Effect.gen(function* () {
    const times: Array<Published> = []
    for (let i = 0; i < count; i++) {
      const began = process.hrtime.bigint()
      yield* topics.publish(topic, payload)
      times.push({ began: Number(began) / 1e6, resolved: Number(process.hrtime.bigint()) / 1e6 })
      yield* Effect.sleep(pauseMillis)
    }
    return times
  })

process.on("message", (command: Command) => {
  const done =
    command.kind === "batches"
      ? Effect.as(publishBatches(topics, command.count, command.topic), [])
      : publishLone(command.topic, command.count, command.pauseMillis)
  void runtime.runPromise(done).then((published) => process.send!(published))
})
process.on("disconnect", () => {
  void runtime.dispose().then(() => {
    remove()
    process.exit(0)
  })
})
process.send!({ url: Context.get(services, GrpcServer).url } satisfies Ready)
