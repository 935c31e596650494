/**
 * An application that uses a part of the library in a scope, and does nothing when that is closed:
 * `scopedApp.ts PART ARGUMENT`. It must then end by itself, whether the part could be used or not. It prints what came of
 * it, `used` or the name of the error.
 */
import { Cause, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { layerServer, layerTopics } from "../../src/protocol/grpc/index.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import * as Topics from "../../src/topics/index.ts"
import * as Transport from "../../src/transport/index.ts"

const [part, argument = ""] = process.argv.slice(2)

/** A subscription that goes on until the scope is closed, and a message that comes by it. */
const use = Effect.gen(function* () {
  const topics = yield* Topics.Topics
  const one = yield* topics
    .subscribe("#", { from: "start" })
    .pipe(Stream.take(1), Stream.runDrain, Effect.forkScoped({ startImmediately: true }))
  yield* topics.subscribe("#", { from: "start" }).pipe(Stream.runDrain, Effect.forkScoped({ startImmediately: true }))
  yield* topics.publish("t", "a message", { key: "k" })
  yield* Fiber.join(one)
}).pipe(Effect.scoped)

const topicsIn = (path: string) => Topics.layer.pipe(Layer.provide(Sqlite.layer({ path })))

const server = (port: number) =>
  layerServer({ host: "127.0.0.1", port }).pipe(Layer.provideMerge(Topics.layer), Layer.provide(Memory.layer()))

/** Connections at a listener, one that is in use and one that nobody reads. */
const connections = Effect.fnUntraced(function* (text: string) {
  const endpoint = yield* Effect.fromResult(Transport.Endpoint.parse(text))
  const listener = yield* Transport.listen(endpoint)
  const echo = (connection: Transport.Connection) => {
    connection.attach({ onChunk: (chunk) => connection.write(chunk), onDrain: () => {}, onClose: () => {} })
    return connection.closed
  }
  yield* Effect.forkScoped(listener.run(echo))
  const connection = yield* Transport.dial(listener.endpoint)
  yield* Effect.callback<void>((resume) => {
    connection.attach({ onChunk: () => resume(Effect.void), onDrain: () => {}, onClose: () => {} })
    connection.write(Buffer.from("hello"))
  })
  yield* Transport.dial(listener.endpoint)
}, Effect.scoped)

const parts: Readonly<Record<string, Effect.Effect<void, { readonly _tag: string }>>> = {
  /** `PATH` */
  sqlite: Effect.provide(use, topicsIn(argument)),
  /** `URL` */
  client: Effect.provide(use, layerTopics({ url: argument })),
  /** `ENDPOINT` */
  connections: connections(argument),
  /** `PORT` */
  server: Effect.provide(use, server(Number(argument))),
}

const exit = await Effect.runPromiseExit(parts[part ?? ""]!)
const error = Exit.isFailure(exit) ? Cause.findErrorOption(exit.cause) : undefined
console.log(error === undefined ? "used" : error._tag === "Some" ? error.value._tag : "defect")
