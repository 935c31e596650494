/** A log whose end is discarded, and comes anew: subscribers go on, and get what has come in its place. */
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Queue, Ref, type Scope, Stream } from "effect"
import type { Message } from "../../src/domain/Message.ts"
import type { ReplicatedMessage } from "../../src/storage/LogStore.ts"
import * as Lmdb from "../../src/storage/lmdb/index.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import type { StoreServices } from "../../src/storage/Stores.ts"
import { otherNode, ownNode, replica } from "../../src/testing/storage/fixtures.ts"
import { layer, Topics, TopicsSettings } from "../../src/topics/index.ts"
import { Replica } from "../../src/topics/Replica.ts"
import { temporaryDirectory } from "../storage/temporaryDirectory.ts"
import { tightSettings } from "./world.ts"

type Stores = Layer.Layer<StoreServices, unknown>

const log = { topic: "t", origin: otherNode }

/** One message for each character. */
const copy = (texts: string, from = 1): ReadonlyArray<ReplicatedMessage> =>
  [...texts].map((text, i) => replica(from + i, text))

const shown = ({ offset, payload }: Message): string => `${offset}${Buffer.from(payload).toString()}`

const open = (stores: Stores) =>
  Layer.build(layer.pipe(Layer.provide(stores), Layer.provide(Layer.succeed(TopicsSettings, tightSettings))))

/** The topics of a node, and the replica of the one that discards: the same one, or another on the same store. */
type MakeNodes = Effect.Effect<
  { readonly topics: Topics["Service"]; readonly replica: Replica["Service"] },
  unknown,
  Scope.Scope
>

const oneNode = (stores: Effect.Effect<Stores, unknown, Scope.Scope>): MakeNodes =>
  Effect.gen(function* () {
    const services = yield* open(yield* stores)
    return { topics: Context.get(services, Topics), replica: Context.get(services, Replica) }
  })

const inDirectory = (make: (directory: string) => Stores) => oneNode(Effect.map(temporaryDirectory, make))

const worlds: Readonly<Record<string, MakeNodes>> = {
  "in memory": oneNode(Effect.sync(() => Memory.layer({ node: ownNode }))),
  "in SQLite": inDirectory((directory) => Sqlite.layer({ path: join(directory, "bus.db"), node: ownNode })),
  "in LMDB": inDirectory((directory) => Lmdb.layer({ path: join(directory, "bus"), node: ownNode })),
  "by another node on the same store": Effect.gen(function* () {
    const disk = Memory.makeDisk({ shared: { pollMillis: 5 } })
    const third = { ...ownNode, device: "three" }
    const one = yield* open(Memory.layer({ disk, node: ownNode }))
    const other = yield* open(Layer.fresh(Memory.layer({ disk, node: third })))
    return { topics: Context.get(one, Topics), replica: Context.get(other, Replica) }
  }),
}

/** Follows a subscription: gives how to wait until it has given a message, and all that it gave up to there. */
const follow = Effect.fnUntraced(function* (stream: Stream.Stream<Message, unknown>) {
  const came = yield* Queue.unbounded<string>()
  const given = yield* Ref.make<ReadonlyArray<string>>([])
  const fiber = yield* Stream.runForEachArray(stream, (messages) => Queue.offerAll(came, messages.map(shown))).pipe(
    Effect.forkScoped({ startImmediately: true }),
  )
  const until = (last: string) =>
    Effect.gen(function* () {
      while (true) {
        const next = yield* Effect.raceFirst(Queue.take(came), Effect.andThen(Fiber.join(fiber), Effect.never))
        const all = yield* Ref.updateAndGet(given, (before) => [...before, next])
        if (next === last) return all.join(" ")
      }
    })
  return { until }
})

const live = Effect.fnUntraced(function* (topics: Topics["Service"]) {
  const isLive = yield* Queue.unbounded<void>()
  const reader = yield* follow(topics.subscribe("t", { from: "end", onLive: Queue.offer(isLive, undefined) }))
  yield* Queue.take(isLive)
  return reader
})

describe.each(Object.entries(worlds))("a log whose end is discarded %s", (_, makeNodes) => {
  it.live("comes anew to everybody who subscribes to it, at offsets that were seen, and not below a start", () =>
    Effect.gen(function* () {
      const { replica, topics } = yield* makeNodes
      yield* replica.accept(log, copy("abcdefgh"))
      const fromStart = yield* follow(topics.subscribe("t", { from: "start" }))
      const ofAll = yield* follow(topics.subscribe("#", { from: "start" }))
      const fromOffset = yield* follow(topics.subscribe("t", { origin: otherNode, from: 5 }))
      const ahead = yield* follow(topics.subscribe("t", { origin: otherNode, from: 9 }))
      const fromEnd = yield* live(topics)
      for (const reader of [fromStart, ofAll, fromOffset]) yield* reader.until("8h")

      yield* replica.discard(log, 3)
      expect(yield* replica.head(log)).toBe(2)
      yield* replica.accept(log, copy("abCDEFGHI"))
      const before = "1a 2b 3c 4d 5e 6f 7g 8h "
      expect(yield* fromStart.until("9I")).toBe(`${before}3C 4D 5E 6F 7G 8H 9I`)
      expect(yield* ofAll.until("9I")).toBe(`${before}3C 4D 5E 6F 7G 8H 9I`)
      expect(yield* fromEnd.until("9I")).toBe("3C 4D 5E 6F 7G 8H 9I")
      expect(yield* fromOffset.until("9I")).toBe("5e 6f 7g 8h 5E 6F 7G 8H 9I")
      expect(yield* ahead.until("9I")).toBe("9I")

      // Whoever comes now sees what is there, and those who follow see what comes.
      const late = yield* follow(topics.subscribe("t", { from: "start" }))
      expect(yield* late.until("9I")).toBe("1a 2b 3C 4D 5E 6F 7G 8H 9I")
      yield* replica.discard(log, 9)
      yield* replica.accept(log, copy("J", 9))
      for (const reader of [fromStart, ofAll, fromEnd, fromOffset, ahead, late]) {
        expect(yield* reader.until("9J")).toMatch(/9I 9J$/)
      }
    }).pipe(Effect.scoped),
  )

  it.live("is read on by who is in the middle of it, and by consumers, without a stop", () =>
    Effect.gen(function* () {
      const { replica, topics } = yield* makeNodes
      yield* replica.accept(log, copy("abcdefghijklmnop"))
      // Three messages a page, each taken when it is asked for.
      const pull = yield* Stream.toPull(topics.subscribe("t", { from: "start" }))
      const seen: Array<string> = [...(yield* pull)].map(shown)
      const consumer = yield* follow(
        Stream.callback<Message, unknown>((queue) =>
          Effect.catch(
            topics.consume("reader", "t", (message) => Queue.offer(queue, message), { from: "start" }),
            (error) => Queue.fail(queue, error),
          ),
        ),
      )
      yield* replica.discard(log, 5)
      yield* replica.accept(log, copy("abcdEFGHIJKLMNOPQ"))
      while (seen.at(-1) !== "17Q") seen.push(...(yield* pull).map(shown))
      // A page that was read ahead may have given what is gone by now; what has come in its place is complete.
      expect(seen.join(" ")).toMatch(/^1a 2b 3c .*5E 6F 7G 8H 9I 10J 11K 12L 13M 14N 15O 16P 17Q$/)
      expect(seen.slice(0, 4)).toEqual(["1a", "2b", "3c", "4d"])
      expect(yield* consumer.until("17Q")).toMatch(/5E 6F 7G 8H 9I 10J 11K 12L 13M 14N 15O 16P 17Q$/)
    }).pipe(Effect.scoped),
  )
})
