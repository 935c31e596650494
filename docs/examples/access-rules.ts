// A server whose callers are known by their tokens, and may do what a file of access rules says.
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted, Result } from "effect"
import { Access, Topics } from "millrace"
import * as Grpc from "millrace/grpc"
import * as Memory from "millrace/memory"

// #region rules
const rules = Access.AccessRules.parse(
  JSON.stringify({
    principals: {
      sensor: { tokens: [Access.tokenHashOf("horse-battery-staple")], publish: ["sensors/#"] },
    },
  }),
)

const Served = Grpc.layerServer({ host: "127.0.0.1", port: 0 }).pipe(
  Layer.provide(Access.Access.layerRules(Result.getOrThrow(rules))),
  Layer.provide(Topics.layer),
  Layer.provide(Memory.layer()),
)
// #endregion

const program = Effect.gen(function* () {
  const { url } = yield* Grpc.GrpcServer
  // #region token
  const Remote = Grpc.layerTopics({ url, token: Redacted.make("horse-battery-staple") })
  // #endregion
  yield* Effect.gen(function* () {
    const topics = yield* Topics.Topics
    const { offset } = yield* topics.publish("sensors/hall", "21.5")
    yield* Console.log(`stored at offset ${offset}`)
    const error = yield* Effect.flip(topics.publish("orders/eu", "a lamp"))
    yield* Console.log(`${error._tag}: ${error.message}`)
  }).pipe(Effect.provide(Remote))
})

NodeRuntime.runMain(program.pipe(Effect.provide(Served)))
