/** What replication accepts reaches the subscribers of the node, and is theirs. */
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Stream } from "effect"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import { otherNode, ownNode, replica as message } from "../../src/testing/storage/fixtures.ts"
import { layer, Topics } from "../../src/topics/index.ts"
import { Replica } from "../../src/topics/Replica.ts"
import { temporaryDirectory } from "../storage/temporaryDirectory.ts"

it.live.each(["layer", "layerOnLoop"] as const)(
  "what is accepted is given to subscribers as it came, whatever becomes of its buffer: Sqlite.%s",
  (name) =>
    Effect.gen(function* () {
      const path = join(yield* temporaryDirectory, "bus.db")
      const services = yield* Layer.build(Layer.provide(layer, Sqlite[name]({ path, node: ownNode })))
      const isLive = yield* Deferred.make<void>()
      const subscription = Context.get(services, Topics).subscribe("t", { onLive: Deferred.succeed(isLive, undefined) })
      const pull = yield* Stream.toPull(subscription)
      const pulling = yield* Effect.forkChild(pull, { startImmediately: true })
      yield* Deferred.await(isLive)
      const payload = Buffer.from("as it came")
      const log = { topic: "t", origin: otherNode }
      yield* Context.get(services, Replica).accept(log, [{ ...message(1, ""), payload }])
      payload.fill(0)
      const [given] = yield* Fiber.join(pulling)
      expect(Buffer.from(given.payload).toString()).toBe("as it came")
    }).pipe(Effect.scoped),
)
