/** What has moved is told to whoever watches: as one move of a log, however many there were, and by whomever. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import type { LogHead } from "../../../src/domain/LogId.ts"
import * as HeadMoves from "../../../src/protocol/grpc/sync/HeadMoves.ts"
import * as Memory from "../../../src/storage/memory/index.ts"
import * as Topics from "../../../src/topics/index.ts"
import { nodeNamed } from "../../topics/sharedMemory.ts"

const open = (device: string, disk: Memory.MemoryDisk = Memory.makeDisk()) =>
  Effect.gen(function* () {
    const services = yield* Layer.build(
      Layer.fresh(Layer.provide(Topics.layer, Memory.layer({ disk, node: nodeNamed(device) }))),
    )
    return {
      topics: Context.get(services, Topics.Topics),
      replica: Context.get(services, Topics.Replica),
      moves: yield* HeadMoves.make(Context.get(services, Topics.Journal)),
    }
  })

const everything = (): boolean => true

const shown = (heads: ReadonlyArray<LogHead>) =>
  heads.map(({ offset, origin, topic }) => `${topic}@${origin.device} ${offset}`).toSorted()

const next = (watcher: HeadMoves.HeadWatcher) => Effect.map(watcher.moved, () => shown(watcher.take()))

describe("moves", () => {
  it.effect("of a log that nobody has asked about meanwhile are one", () =>
    Effect.gen(function* () {
      const { moves, replica, topics } = yield* open("one")
      const [fast, slow] = [yield* moves.watch(everything), yield* moves.watch(everything)]
      for (let i = 1; i <= 100; i++) {
        yield* topics.publishAll(["a", "b", "a", "a"].map((topic) => ({ topic, payload: "x" })))
        expect(yield* next(fast)).toEqual([`a@one ${3 * i}`, `b@one ${i}`])
      }
      yield* topics.deleteRange("a", 1, 2)
      const content = { id: "1", createdAt: 1, headers: {}, payload: new Uint8Array(), deleted: false }
      yield* replica.accept({ topic: "$d/a", origin: nodeNamed("two") }, [{ ...content, offset: 1 }])
      expect(yield* next(slow)).toEqual(["$d/a@two 1", "$msgbus.delete@one 1", "a@one 300", "b@one 100"])
      expect(slow.take()).toEqual([])
    }).pipe(Effect.scoped),
  )

  it.effect("of logs on one topic are told of each, also where they come together", () =>
    Effect.gen(function* () {
      let follower: Topics.Follower | undefined
      const journal: Pick<Topics.Journal["Service"], "follow"> = {
        follow: (given) => Effect.sync(() => ((follower = given), { changed: () => undefined, position: () => 0 })),
      }
      const watcher = yield* Effect.flatMap(HeadMoves.make(journal), ({ watch }) => watch(everything))
      const message = { topic: "a", id: "1", createdAt: 1, headers: {}, payload: new Uint8Array(), deleted: false }
      const journaled = [
        ["one", 7],
        ["two", 3],
        ["two", 4],
        ["one", 8],
      ] as const
      const origins = { one: nodeNamed("one"), two: nodeNamed("two") }
      follower!.take(journaled.map(([by, offset], i) => ({ ...message, origin: origins[by], offset, position: i })))
      expect(yield* next(watcher)).toEqual(["a@one 8", "a@two 4"])
    }).pipe(Effect.scoped),
  )

  it.effect("are told of what is meant, and from when somebody watches", () =>
    Effect.gen(function* () {
      const { moves, topics } = yield* open("one")
      yield* topics.publish("a", "before")
      const watcher = yield* moves.watch((topic) => topic !== "secret")
      for (const topic of ["secret", "b"]) yield* topics.publish(topic, "x")
      expect(yield* next(watcher)).toEqual(["b@one 1"])
    }).pipe(Effect.scoped),
  )

  it.live("of a store that others write to are told too", () =>
    Effect.gen(function* () {
      const disk = Memory.makeDisk({ shared: true })
      const [one, two] = yield* Effect.all([open("one", disk), open("two", disk)])
      const watcher = yield* one.moves.watch(everything)
      for (const topic of ["a", "b", "a"]) yield* two.topics.publish(topic, "x")
      yield* one.topics.publish("a", "x")
      yield* two.topics.deleteRange("a", 1, 1)
      const told = new Map<string, number>()
      while (told.size < 4) {
        yield* watcher.moved
        for (const { offset, origin, topic } of watcher.take()) told.set(`${topic}@${origin.device}`, offset)
      }
      expect([...told].toSorted()).toEqual([
        ["$msgbus.delete@two", 1],
        ["a@one", 1],
        ["a@two", 2],
        ["b@two", 1],
      ])
    }).pipe(Effect.scoped),
  )
})
