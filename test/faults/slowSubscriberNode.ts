/**
 * A node in a process of its own, which tells how much memory it has: `slowSubscriberNode.ts PATH`. It says at what URL
 * it serves, and answers each message `{collect}` with its memory. Run it with `--expose-gc`.
 */
import { Effect, Layer } from "effect"
import { GrpcServer, layerServer } from "../../src/protocol/grpc/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import * as Topics from "../../src/topics/index.ts"
import { memory } from "./memory.ts"

const path = process.argv[2] ?? ""

const server = layerServer({ host: "127.0.0.1", port: 0 }).pipe(
  Layer.provide(Topics.layer),
  Layer.provide(Sqlite.layer({ path })),
)

process.on("message", ({ collect }: { readonly collect: boolean }) => process.send!(memory(collect)))

await Effect.runPromise(
  Effect.gen(function* () {
    const { url } = yield* GrpcServer
    yield* Effect.sync(() => process.send!({ url }))
    return yield* Effect.never
  }).pipe(Effect.provide(server)),
)
