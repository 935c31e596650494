/**
 * What a node does with what others write to the same store: `severalNodes.test.ts` has the laws, here is the rest.
 */
import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Latch, Layer, References, Stream } from "effect"
import { StorageFailed } from "../../src/domain/errors.ts"
import type { Message } from "../../src/domain/Message.ts"
import type { JournalFilters } from "../../src/storage/parts/LogSelection.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import { layer, Subscribers, type SubscribeOptions, Topics } from "../../src/topics/index.ts"
import { nodeNamed } from "./sharedMemory.ts"

type Store = LogStore["Service"]

/** Nodes on one disk, each with its topics; hints are passed on as the options say. */
const cluster = (sharing: Memory.SharingOptions = { pollMillis: 0 }) => {
  const disk = Memory.makeDisk({ shared: sharing })
  return (device: string, change: (store: Store) => Partial<Store> = () => ({})) =>
    Effect.gen(function* () {
      const stores = Memory.layer({ disk, node: nodeNamed(device) })
      const changed = Layer.effect(
        LogStore,
        LogStore.useSync((store) => ({ ...store, ...change(store) })),
      ).pipe(Layer.provideMerge(stores))
      const services = yield* Layer.build(Layer.fresh(Layer.provideMerge(layer, changed)))
      return { topics: Context.get(services, Topics), subscribers: Context.get(services, Subscribers) }
    })
}

const texts = (messages: Iterable<Message>): ReadonlyArray<string> =>
  [...messages].map(({ payload }) => Buffer.from(payload).toString())

/** Starts a subscription and waits until it is live; gives what comes first. */
const follow = Effect.fnUntraced(function* (
  topics: Topics["Service"],
  count: number,
  filter: string,
  options: SubscribeOptions = {},
) {
  const live = yield* Deferred.make<void>()
  const onLive = Effect.asVoid(Deferred.succeed(live, undefined))
  const fiber = yield* topics
    .subscribe(filter, { ...options, onLive })
    .pipe(Stream.take(count), Stream.runCollect, Effect.map(texts), Effect.forkScoped)
  yield* Deferred.await(live)
  return Fiber.join(fiber)
})

describe("a subscription at one node", () => {
  it.live("gets what others publish, in the order of the journal", () =>
    Effect.gen(function* () {
      const open = cluster()
      const one = yield* open("one")
      const two = yield* open("two")
      const got = yield* follow(one.topics, 4, "#")
      yield* two.topics.publish("a", "1")
      yield* one.topics.publish("a", "2")
      yield* two.topics.publish("b", "3")
      yield* one.topics.publish("b", "4")
      expect(yield* got).toEqual(["1", "2", "3", "4"])
    }),
  )

  it.live("from the end begins behind all that was acknowledged anywhere, also where no hint has come", () =>
    Effect.gen(function* () {
      const open = cluster({ pollMillis: 0, pass: () => undefined })
      const one = yield* open("one")
      const two = yield* open("two")
      yield* two.topics.publish("a", "before")
      const cursor = yield* one.topics.cursor
      expect(cursor.position).toBe(1)
      const fromEnd = yield* follow(one.topics, 1, "a")
      const fromCursor = yield* follow(one.topics, 1, "a", { from: cursor })
      const fromStart = yield* follow(one.topics, 2, "a", { from: "start" })
      yield* two.topics.publish("a", "after")
      // Its own commit tells the node where the journal is.
      yield* one.topics.publish("b", "own")
      expect(yield* fromEnd).toEqual(["after"])
      expect(yield* fromCursor).toEqual(["after"])
      expect(yield* fromStart).toEqual(["before", "after"])
    }),
  )

  it.live("is live when it has all that was stored at its beginning, whoever stored it", () =>
    Effect.gen(function* () {
      const open = cluster({ pollMillis: 0, pass: () => undefined })
      const one = yield* open("one")
      const two = yield* open("two")
      yield* two.topics.publishAll([1, 2, 3].map((n) => ({ topic: "a", payload: `${n}` })))
      const seen: Array<string> = []
      const live = yield* Deferred.make<ReadonlyArray<string>>()
      yield* one.topics
        .subscribe("a", {
          from: "start",
          onLive: Effect.asVoid(Effect.suspend(() => Deferred.succeed(live, [...seen]))),
        })
        .pipe(
          Stream.runForEach((message) => Effect.sync(() => void seen.push(...texts([message])))),
          Effect.forkScoped,
        )
      expect(yield* Deferred.await(live)).toEqual(["1", "2", "3"])
    }),
  )

  it.live("follows what the bus itself says at another node", () =>
    Effect.gen(function* () {
      const open = cluster()
      const one = yield* open("one")
      const two = yield* open("two")
      const markers = yield* follow(one.topics, 1, "$msgbus.delete")
      const others = yield* follow(one.topics, 2, "#")
      yield* two.topics.publish("a", "1")
      yield* two.topics.deleteRange("a", 1, 1)
      yield* two.topics.publish("a", "2")
      expect(yield* markers).toHaveLength(1)
      expect((yield* others)[1]).toBe("2")
    }),
  )
})

describe("following the journal", () => {
  /** A store that tells what is read of the journal. */
  const counting =
    (reads: Array<JournalFilters>) =>
    (store: Store): Partial<Store> => ({
      readJournal: (after, filter, limit) =>
        Effect.suspend(() => {
          reads.push(filter)
          return store.readJournal(after, filter, limit)
        }),
    })

  it.live("reads once for all subscribers, what they subscribe to, and nothing where nobody does", () =>
    Effect.gen(function* () {
      const open = cluster()
      const reads: Array<JournalFilters> = []
      const one = yield* open("one", counting(reads))
      const two = yield* open("two")
      yield* two.topics.publish("a", "0")
      expect(reads).toEqual([])
      const got = yield* Effect.forEach(["a", "a", "a", "b/+"], (filter) => follow(one.topics, 1, filter))
      reads.length = 0
      yield* two.topics.publishAll(["a", "b/c", "d"].map((topic) => ({ topic, payload: topic })))
      expect(yield* Effect.all(got)).toEqual([["a"], ["a"], ["a"], ["b/c"]])
      expect(reads).toEqual([
        [
          { topics: "a", origin: undefined },
          { topics: "b/+", origin: undefined },
        ],
      ])
    }).pipe(Effect.scoped),
  )

  it.live("reads nothing for commits of its own that follow each other", () =>
    Effect.gen(function* () {
      const reads: Array<JournalFilters> = []
      const one = yield* cluster()("one", counting(reads))
      const got = yield* follow(one.topics, 20, "a")
      for (let i = 0; i < 20; i++) yield* one.topics.publish("a", `${i}`)
      expect(yield* got).toHaveLength(20)
      expect(reads).toEqual([])
    }).pipe(Effect.scoped),
  )

  it.live("keeps no publisher waiting", () =>
    Effect.gen(function* () {
      const open = cluster()
      const canRead = yield* Latch.make(true)
      const one = yield* open("one", (store) => ({
        readJournal: (after, filter, limit) => canRead.whenOpen(store.readJournal(after, filter, limit)),
      }))
      const two = yield* open("two")
      const got = yield* follow(one.topics, 3, "#")
      yield* canRead.close
      yield* two.topics.publish("a", "1")
      // It is behind the other one's, which cannot be read: it is acknowledged all the same.
      expect((yield* one.topics.publish("a", "2")).position).toBe(2)
      expect((yield* one.topics.publish("a", "3")).position).toBe(3)
      expect(one.subscribers.list()).toMatchObject([{ filter: "#", lag: 3, isLive: true }])
      yield* canRead.open
      expect(yield* got).toEqual(["1", "2", "3"])
      expect(one.subscribers.list()).toEqual([])
    }).pipe(Effect.scoped),
  )

  it.live("reads later what it could not read", () =>
    Effect.gen(function* () {
      const open = cluster()
      const failures = [
        Effect.fail(new StorageFailed({ operation: "readJournal", message: "away" })),
        Effect.interrupt,
        Effect.die(new Error("a defect")),
      ]
      const one = yield* open("one", (store) => ({
        readJournal: (after, filter, limit) =>
          Effect.suspend(() => failures.shift() ?? store.readJournal(after, filter, limit)),
      }))
      const two = yield* open("two")
      const got = yield* follow(one.topics, 2, "#")
      yield* two.topics.publish("a", "1")
      yield* one.topics.publish("a", "2")
      expect(yield* got).toEqual(["1", "2"])
      expect(failures).toEqual([])
    }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "Error")),
  )
})
