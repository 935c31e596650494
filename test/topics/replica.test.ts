/** What replication accepts reaches the subscribers of the node, and is theirs. */
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Stream } from "effect"
import * as Memory from "../../src/storage/memory/index.ts"
import { encodeReplicas } from "../../src/storage/parts/ReplicaBlocks.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import { otherNode, ownNode, replica as message } from "../../src/testing/storage/fixtures.ts"
import { type Follower, Journal, layer, Topics } from "../../src/topics/index.ts"
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

/** What a follower has been given, of a node that accepts blocks. */
const followed = (options: Partial<Follower>) =>
  Effect.gen(function* () {
    const services = yield* Layer.build(Layer.provide(Layer.fresh(layer), Memory.layer({ node: ownNode })))
    const given: Array<number> = []
    let reached = 0
    yield* Context.get(services, Journal).follow({
      wants: () => true,
      filters: () => ["#"],
      take: (messages) => {
        for (const { offset } of messages) given.push(offset)
        return messages.length
      },
      whenReady: (resume) => resume(),
      reached: (position) => (reached = position),
      ...options,
    })
    const log = { topic: "t", origin: otherNode }
    const replica = Context.get(services, Replica)
    for (const from of [1, 4]) {
      const messages = [0, 1, 2].map((i) => message(from + i, `${from + i}`))
      yield* replica.acceptBlocks(log, from, encodeReplicas(messages))
    }
    // Nothing of this is new.
    yield* replica.acceptBlocks(log, 6, encodeReplicas([message(6, "6")]))
    return { given, reached }
  })

it.effect.each<readonly [string, Partial<Follower>, ReadonlyArray<number>]>([
  ["all of it", {}, [1, 2, 3, 4, 5, 6]],
  ["the last message of each run, where that is enough", { isContentWithLast: true }, [3, 6]],
  ["nothing but how far it goes, where nothing is wanted", { wants: () => false }, []],
])("who follows what is accepted in blocks is given %s", ([, options, expected]) =>
  Effect.gen(function* () {
    expect(yield* followed(options)).toEqual({ given: expected, reached: 6 })
  }).pipe(Effect.scoped),
)

it.live("a subscriber is given what is accepted in blocks, each message once, deleted ones without content", () =>
  Effect.gen(function* () {
    const services = yield* Layer.build(Layer.provide(layer, Memory.layer({ node: ownNode })))
    const replica = Context.get(services, Replica)
    const log = { topic: "t", origin: otherNode }
    const isLive = yield* Deferred.make<void>()
    const subscription = Context.get(services, Topics).subscribe("t", { onLive: Deferred.succeed(isLive, undefined) })
    const got = yield* subscription.pipe(
      Stream.take(4),
      Stream.runCollect,
      Effect.forkChild({ startImmediately: true }),
    )
    yield* Deferred.await(isLive)
    yield* replica.deleteRange(log, 2, 2)
    const messages = ["one", "two", "three", "four"].map((text, i) => message(i + 1, text))
    yield* replica.acceptBlocks(log, 1, encodeReplicas(messages.slice(0, 3)))
    yield* replica.acceptBlocks(log, 2, encodeReplicas(messages.slice(1)))
    const texts = (yield* Fiber.join(got)).map(({ offset, payload }) => [offset, Buffer.from(payload).toString()])
    expect(texts).toEqual([
      [1, "one"],
      [2, ""],
      [3, "three"],
      [4, "four"],
    ])
  }).pipe(Effect.scoped),
)
