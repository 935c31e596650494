/**
 * Consumers with named cursors, checked twice: in the node's own process, and through the client over a real socket.
 */
import { describe, expect, layer, vi } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Queue } from "effect"
import {
  CursorInvalid,
  CursorLost,
  CursorMismatch,
  CursorTaken,
  CursorUnknown,
  InvalidArgument,
} from "../../../src/domain/errors.ts"
import * as Memory from "../../../src/storage/memory/index.ts"
import { type ConsumeOptions, layer as layerLocalTopics, Topics } from "../../../src/topics/index.ts"
import { layerRemote } from "./TestNode.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

const text = (payload: Uint8Array): string => Buffer.from(payload).toString()

const worlds = [
  { name: "in process", topics: layerLocalTopics.pipe(Layer.provide(Memory.layer())) },
  { name: "over gRPC", topics: layerRemote() },
] as const

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`)

const publish = Effect.fnUntraced(function* (topic: string, from: number, to: number) {
  const topics = yield* Topics
  return yield* topics.publishAll(numbers(from, to).map((payload) => ({ topic, payload })))
})

/** What a handler was given; it succeeds, until it is told that it shall fail or never end. */
const consume = Effect.fnUntraced(function* (
  name: string,
  filter: string,
  options: ConsumeOptions & { readonly until?: string; readonly how?: "fail" | "hang" } = {},
) {
  const { how = "fail", until, ...rest } = options
  const topics = yield* Topics
  const seen = yield* Queue.unbounded<string>()
  const fiber = yield* topics
    .consume(
      name,
      filter,
      (message) =>
        Effect.gen(function* () {
          const payload = text(message.payload)
          if (payload === until && how === "fail") return yield* Effect.fail(`${payload} failed` as const)
          yield* Queue.offer(seen, payload)
          if (payload === until) return yield* Effect.never
        }),
      rest,
    )
    .pipe(Effect.forkChild({ startImmediately: true }))
  return {
    take: (count: number) => Queue.takeN(seen, count),
    rest: Queue.clear(seen),
    stop: Fiber.interrupt(fiber),
    failure: Effect.flip(Fiber.join(fiber)),
  }
})

const stateOf = (name: string) =>
  Effect.map(
    Effect.flatMap(Topics, (topics) => topics.cursors),
    (cursors) => cursors.find((cursor) => cursor.name === name),
  )

describe.each(worlds)("consumers $name", ({ topics: world }) => {
  layer(world, { excludeTestServices: true })((it) => {
    it.effect("begin at the start, follow, and go on after what was handled", () =>
      Effect.gen(function* () {
        yield* publish("resume", 1, 3)
        const first = yield* consume("resume", "resume")
        expect(yield* first.take(3)).toEqual(numbers(1, 3))
        yield* publish("resume", 4, 5)
        expect(yield* first.take(2)).toEqual(numbers(4, 5))
        yield* first.stop
        yield* publish("resume", 6, 7)
        const second = yield* consume("resume", "resume", { from: "end" })
        expect(yield* second.take(2)).toEqual(numbers(6, 7))
        yield* second.stop
        expect(yield* stateOf("resume")).toMatchObject({ topics: "resume", lag: 0, isHeld: false })
      }),
    )

    it.effect("end with the handler's error, and the cursor at the last success", () =>
      Effect.gen(function* () {
        const stored = yield* publish("failing", 1, 10)
        const first = yield* consume("failing", "failing", { until: "6" })
        expect(yield* first.failure).toBe("6 failed")
        expect(yield* first.rest).toEqual(numbers(1, 5))
        expect(yield* stateOf("failing")).toMatchObject({ position: stored[4]!.position })
        const second = yield* consume("failing", "failing")
        expect(yield* second.take(5)).toEqual(numbers(6, 10))
        yield* second.stop
      }),
    )

    it.effect("interrupted within a handler, get that message again", () =>
      Effect.gen(function* () {
        yield* publish("interrupted", 1, 5)
        const first = yield* consume("interrupted", "interrupted", { until: "3", how: "hang" })
        expect(yield* first.take(3)).toEqual(numbers(1, 3))
        yield* first.stop
        const second = yield* consume("interrupted", "interrupted")
        expect(yield* second.take(3)).toEqual(numbers(3, 5))
        yield* second.stop
      }),
    )

    it.effect("take chunks, and none of a chunk that failed counts as handled", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        yield* publish("chunks", 1, 5000)
        const seen: Array<string> = []
        let chunks = 0
        const first = topics.consumeChunks("chunks", "chunks", (messages) =>
          Effect.suspend(() => {
            chunks++
            if (seen.length >= 2000) return Effect.fail("enough" as const)
            seen.push(...messages.map(({ payload }) => text(payload)))
            return Effect.void
          }),
        )
        expect(yield* Effect.flip(first)).toBe("enough")
        expect(chunks).toBeLessThan(200)
        const done = yield* Deferred.make<void>()
        const second = topics.consumeChunks("chunks", "chunks", (messages) => {
          seen.push(...messages.map(({ payload }) => text(payload)))
          return seen.length >= 5000 ? Deferred.succeed(done, undefined) : Effect.void
        })
        yield* Effect.raceFirst(second, Deferred.await(done))
        expect(seen).toEqual(numbers(1, 5000))
      }),
    )

    it.effect("get much more than may be on its way to them", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        const payload = "x".repeat(100_000)
        yield* topics.publishAll(Array.from({ length: 80 }, () => ({ topic: "much", payload })))
        for (const how of ["one", "chunks"] as const) {
          let handled = 0
          const done = yield* Deferred.make<void>()
          const note = (count: number) =>
            Effect.suspend(() => {
              handled += count
              return handled === 80 ? Deferred.succeed(done, undefined) : Effect.void
            })
          const consuming =
            how === "one"
              ? topics.consume("much by one", "much", () => note(1))
              : topics.consumeChunks("much in chunks", "much", (messages) => note(messages.length))
          yield* Effect.raceFirst(consuming, Deferred.await(done))
          expect(handled).toBe(80)
        }
      }),
    )

    it.effect("begin where they are told, where the cursor is new", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        const stored = yield* publish("from", 1, 4)
        const place = { incarnation: (yield* topics.info).incarnation, position: stored[0]!.position }
        const byOffset = yield* consume("from offset", "from", { from: 3 })
        const byCursor = yield* consume("from cursor", "from", { from: place })
        const atEnd = yield* consume("from end", "from", { from: "end" })
        yield* Effect.repeat(stateOf("from end"), { until: (state) => state?.isHeld === true })
        yield* publish("from", 5, 5)
        expect(yield* byOffset.take(3)).toEqual(numbers(3, 5))
        expect(yield* byCursor.take(4)).toEqual(numbers(2, 5))
        expect(yield* atEnd.take(1)).toEqual(["5"])
        yield* Effect.all([byOffset.stop, byCursor.stop, atEnd.stop])
        const refusals = [
          [{ from: 9 }, InvalidArgument],
          [{ from: 0 }, InvalidArgument],
          [{ from: { ...place, incarnation: "other" } }, CursorInvalid],
          [{ from: { ...place, position: 1e9 } }, CursorInvalid],
        ] as const
        for (const [options, kind] of refusals) {
          expect(yield* (yield* consume("from nowhere", "from", options)).failure).toBeInstanceOf(kind)
        }
        expect(yield* stateOf("from nowhere")).toBeUndefined()
      }),
    )

    it.effect("have filters, and say so where the same name is used for another", () =>
      Effect.gen(function* () {
        yield* publish("f/a", 1, 2)
        yield* publish("f/b/c", 3, 3)
        yield* publish("f/b", 4, 4)
        const one = yield* consume("filtered", "f/+")
        expect(yield* one.take(3)).toEqual(["1", "2", "4"])
        yield* one.stop
        const other = yield* (yield* consume("filtered", "f/#")).failure
        expect(other).toBeInstanceOf(CursorMismatch)
        expect(other).toMatchObject({
          cursor: "filtered",
          message: `the cursor "filtered" was made for "f/+", not for "f/#": take another name, or delete the cursor first`,
        })
        for (const name of ["", " ", "a\0b", "x".repeat(256)]) {
          expect(yield* (yield* consume(name, "f/+")).failure).toMatchObject({ argument: "cursor" })
        }
      }),
    )

    it.effect("are alone under their name, unless another one takes over", () =>
      Effect.gen(function* () {
        yield* publish("alone", 1, 3)
        const first = yield* consume("alone", "alone", { until: "2", how: "hang" })
        yield* first.take(2)
        expect(yield* (yield* consume("alone", "alone")).failure).toBeInstanceOf(CursorTaken)
        const second = yield* consume("alone", "alone", { takeOver: true })
        const lost = yield* first.failure
        expect(lost).toBeInstanceOf(CursorLost)
        expect(lost).toMatchObject({ message: 'the cursor "alone" was taken over by somebody else' })
        // What the first one had handled it had brought to the store before.
        expect(yield* second.take(2)).toEqual(["2", "3"])
        yield* second.stop
        const third = yield* consume("alone", "alone")
        yield* publish("alone", 4, 4)
        expect(yield* third.take(1)).toEqual(["4"])
        yield* third.stop
      }),
    )

    it.effect("are reset: whoever holds the cursor ends, and goes on from there", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        const stored = yield* publish("reset", 1, 5)
        const first = yield* consume("reset", "reset")
        yield* first.take(5)
        yield* topics.resetCursor("reset", stored[2]!.position)
        expect(yield* first.failure).toMatchObject({ _tag: "CursorLost", message: 'the cursor "reset" was reset' })
        const second = yield* consume("reset", "reset")
        expect(yield* second.take(2)).toEqual(["4", "5"])
        yield* second.stop
        yield* topics.resetCursor("reset", "start")
        expect(yield* stateOf("reset")).toMatchObject({ position: 0 })
        yield* topics.resetCursor("reset", "end")
        expect(yield* stateOf("reset")).toMatchObject({ lag: 0 })
        for (const to of [-1, 1.5, 1e9]) {
          expect(yield* Effect.flip(topics.resetCursor("reset", to))).toMatchObject({ argument: "to" })
        }
        expect(yield* Effect.flip(topics.resetCursor("nobody's", "end"))).toBeInstanceOf(CursorUnknown)
      }),
    )

    it.effect("are listed with how far they are behind, and deleted", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        const stored = yield* publish("listed", 1, 4)
        const { node } = yield* topics.info
        const held = yield* consume("listed", "listed", { origin: node, until: "3", how: "hang" })
        yield* held.take(3)
        const rare = yield* consume("listed rare", "rare")
        yield* publish("rare", 1, 1)
        yield* rare.take(1)
        // Nothing of it came to the rare one, which is not behind for that.
        yield* publish("listed", 5, 9)
        const [listed, other] = (yield* topics.cursors).filter(({ name }) => name.startsWith("listed"))
        const last = stored[3]!.position + 6
        expect(listed).toEqual({
          name: "listed",
          topics: "listed",
          origin: node,
          position: stored[1]!.position,
          movedAt: listed!.movedAt,
          lag: last - stored[1]!.position,
          isHeld: true,
        })
        expect(other).toMatchObject({ name: "listed rare", origin: undefined, lag: 0, isHeld: true })
        yield* topics.deleteCursor("listed")
        expect(yield* held.failure).toMatchObject({ message: 'the cursor "listed" was deleted' })
        expect(yield* Effect.flip(topics.deleteCursor("listed"))).toBeInstanceOf(CursorUnknown)
        expect(yield* stateOf("listed")).toBeUndefined()
        yield* rare.stop
      }),
    )

    it.effect("that are moved by hand move only over what was given out", () =>
      Effect.gen(function* () {
        const topics = yield* Topics
        const stored = yield* publish("by hand", 1, 5)
        const exit = yield* Effect.exit(
          Effect.scoped(
            Effect.gen(function* () {
              const held = yield* topics.holdCursor("by hand", "by hand")
              expect(held.position).toBe(0)
              held.handled(stored[4]!.position)
              yield* held.settled
            }),
          ),
        )
        expect(Exit.isSuccess(exit)).toBe(true)
        const later = yield* consume("by hand", "by hand")
        expect(yield* later.take(5)).toEqual(numbers(1, 5))
        yield* later.stop
      }),
    )
  })
})
