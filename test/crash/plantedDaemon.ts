/**
 * A daemon with a bug: it acknowledges messages without a key before they are committed. It takes the command line that
 * the crash tests give to the real one. A kills test that finds nothing here would prove nothing about the real one.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Effect, Layer } from "effect"
import { GrpcServer, layerServer } from "../../src/protocol/grpc/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import * as Topics from "../../src/topics/index.ts"
import { ackBeforeCommit } from "../topics/plantedBugs.ts"

const { values } = parseArgs({
  options: { data: { type: "string" }, grpc: { type: "string" }, admin: { type: "string" } },
  allowPositionals: true,
})
const { data = "", grpc = "" } = values
const [host = "", port] = grpc.split(":")
mkdirSync(data, { recursive: true })

const store = Sqlite.layerOnLoop({ path: join(data, "millrace.sqlite") })
const planted = ackBeforeCommit(store)
const server = layerServer({ host, port: Number(port) }).pipe(Layer.provide(Topics.layer), Layer.provide(planted))

const fiber = Effect.runFork(
  Effect.gen(function* () {
    const { url } = yield* GrpcServer
    yield* Effect.sync(() => process.stdout.write(`millrace ready grpc=${url}\n`))
    return yield* Effect.never
  }).pipe(Effect.provide(server)),
)
process.on("SIGTERM", () => fiber.interruptUnsafe())
