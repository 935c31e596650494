/** When a peer is asked: at once where it tells what is new, at intervals where not, soon again after it was gone. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option, Queue, Stream } from "effect"
import * as TestClock from "effect/testing/TestClock"
import type { LogHead } from "../../src/domain/LogId.ts"
import { type Peer, PeerUnreachable } from "../../src/replication/index.ts"
import { asPeer, contentsOf, idOf, makeNode, replicating, type PlainPeer } from "./nodes.ts"

const gone = new PeerUnreachable({ message: "gone" })

/** A peer that tells what it is told to tell, and counts the passes. */
const telling = Effect.gen(function* () {
  const [x, y] = yield* Effect.all([makeNode("x"), makeNode("y")])
  const told = yield* Queue.unbounded<ReadonlyArray<LogHead> | "gone">()
  const state = { isThere: true, passes: 0, attempts: [] as Array<number> }
  const peer: PlainPeer = {
    ...asPeer(x),
    identity: Effect.gen(function* () {
      state.attempts.push(yield* Effect.clockWith(({ currentTimeMillis }) => currentTimeMillis))
      return yield* state.isThere ? asPeer(x).identity : gone
    }),
    heads: Effect.tap(asPeer(x).heads, () => Effect.sync(() => state.passes++)),
    moved: Stream.fromQueue(told).pipe(
      Stream.mapEffect((one) => (one === "gone" ? Effect.fail(gone) : Effect.succeed(one))),
    ),
  }
  return { x, y, told, peer, state }
})

describe("a peer", () => {
  it.effect("that tells what is new is listened to: nothing waits for an interval", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { peer, state, told, x, y } = yield* telling
        yield* replicating(y, [{ peer, settings: { intervalMillis: 3_600_000, relistMillis: 3_600_000 } }])
        yield* Queue.offer(told, [])
        yield* TestClock.adjust("10 millis")
        // One when it was there, one when it began to tell: what moved between is not told.
        expect(state.passes).toBe(2)
        for (let i = 1; i <= 5; i++) {
          yield* x.topics.publish("orders", `${i}`)
          yield* Queue.offer(told, [{ topic: "orders", origin: x.id, offset: i }])
          yield* TestClock.adjust("1 millis")
          expect(yield* y.topics.head("orders", x.id)).toMatchObject({ value: i })
        }
        expect(state.passes).toBe(2)
        // Also of what never was: it is a hint, and no more.
        yield* Queue.offer(told, [{ topic: "never", origin: idOf("z"), offset: 9 }])
        yield* TestClock.adjust("1 millis")
        expect((yield* y.topics.heads).length).toBe(1)
      }),
    ),
  )

  it.effect("that is listened to has one log that differs: nothing of the others waits for it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { peer, told, x, y } = yield* telling
        for (const topic of ["bad", "good"]) yield* x.topics.publish(topic, "1")
        let isLying = false
        const liar: Peer = {
          ...peer,
          fetch: (log, from, limit) =>
            Effect.map(peer.fetch(log, from, limit), (messages) =>
              messages.map((message) => (isLying && message.topic === "bad" ? { ...message, id: "another" } : message)),
            ),
        }
        const { peers } = yield* replicating(y, [{ peer: liar }])
        yield* Queue.offer(told, [])
        yield* TestClock.adjust("10 millis")
        isLying = true
        for (let i = 2; i <= 100; i++) {
          for (const topic of ["bad", "good"]) {
            yield* x.topics.publish(topic, `${i}`)
            yield* Queue.offer(told, [{ topic, origin: x.id, offset: i }])
          }
          yield* TestClock.adjust("10 millis")
          // Turns of the loop, and no more time.
          const head = Effect.andThen(Effect.yieldNow, y.topics.head("good", x.id))
          const reached = Effect.repeat(head, { times: 1000, until: (at) => Option.contains(at, i) })
          expect(yield* reached).toMatchObject({ value: i })
        }
        expect(yield* y.topics.head("bad", x.id)).toMatchObject({ value: 1 })
        expect((yield* peers)[0]).toMatchObject({ logsQuarantined: 1, failures: 0 })
      }),
    ),
  )

  it.effect("that has much of one log gives what is published on others meanwhile", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { peer, told, x, y } = yield* telling
        const slow: Peer = {
          ...peer,
          fetch: (log, from, limit) =>
            Effect.delay(peer.fetch(log, from, limit), log.topic === "large" ? "100 millis" : 0),
        }
        const { peers } = yield* replicating(y, [{ peer: slow, settings: { batch: 10 } }])
        yield* Queue.offer(told, [])
        yield* TestClock.adjust("10 millis")
        const publish = Effect.fnUntraced(function* (topic: string, count: number) {
          yield* x.topics.publishAll(Array.from({ length: count }, (_, i) => ({ topic, payload: `${i}` })))
          const head = yield* x.topics.head(topic)
          yield* Queue.offer(told, [{ topic, origin: x.id, offset: Option.getOrThrow(head) }])
        })
        const headOf = (topic: string) =>
          Effect.map(
            y.topics.head(topic, x.id),
            Option.getOrElse(() => 0),
          )
        yield* publish("large", 1000)
        yield* TestClock.adjust("500 millis")
        yield* publish("small", 1)
        yield* publish("other", 30)
        // Its own turn comes in the end.
        yield* publish("large", 1)
        yield* TestClock.adjust("500 millis")
        expect([yield* headOf("small"), yield* headOf("other")]).toEqual([1, 30])
        expect(yield* headOf("large")).toBeLessThan(500)
        expect((yield* peers)[0]).toMatchObject({ failures: 0 })
        yield* TestClock.adjust("20 seconds")
        expect(yield* contentsOf(y)).toEqual(yield* contentsOf(x))
      }),
    ),
  )

  it.effect("that has much of one log, and differs in another, is asked for both", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { peer, state, told, x, y } = yield* telling
        yield* x.topics.publish("bad", "1")
        let isLying = false
        const liar: Peer = {
          ...peer,
          fetch: (log, from, limit) =>
            Effect.map(
              Effect.delay(peer.fetch(log, from, limit), log.topic === "large" ? "100 millis" : 0),
              (messages) =>
                messages.map((message) => (isLying && log.topic === "bad" ? { ...message, id: "another" } : message)),
            ),
        }
        const { peers } = yield* replicating(y, [{ peer: liar, settings: { batch: 10 } }])
        yield* Queue.offer(told, [])
        yield* TestClock.adjust("10 millis")
        isLying = true
        const drafts = Array.from({ length: 200 }, (_, i) => ({ topic: "large", payload: `${i}` }))
        yield* x.topics.publishAll(drafts)
        yield* Queue.offer(told, [{ topic: "large", origin: x.id, offset: 200 }])
        yield* TestClock.adjust("200 millis")
        yield* x.topics.publish("bad", "2")
        yield* Queue.offer(told, [{ topic: "bad", origin: x.id, offset: 2 }])
        yield* TestClock.adjust("300 millis")
        expect((yield* peers)[0]).toMatchObject({ logsQuarantined: 1 })
        yield* TestClock.adjust("10 seconds")
        expect(yield* y.topics.head("large", x.id)).toMatchObject({ value: 200 })
        expect((yield* peers)[0]).toMatchObject({ logsQuarantined: 1, logsFailing: 1 })
        // The whole is looked at soon: it is that which tells that something is wrong.
        expect(state.passes).toBeGreaterThan(5)
      }),
    ),
  )

  it.effect("that forgets to tell is looked at as a whole now and then", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { peer, told, x, y } = yield* telling
        yield* replicating(y, [{ peer }])
        yield* Queue.offer(told, [])
        yield* TestClock.adjust("10 millis")
        yield* x.topics.publish("orders", "1")
        yield* TestClock.adjust("29 seconds")
        expect(yield* y.topics.heads).toEqual([])
        yield* TestClock.adjust("1 second")
        expect(yield* y.topics.heads).toHaveLength(1)
      }),
    ),
  )

  it.effect("that is gone is tried again every half second, and taken up when it is back", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { peer, state, told, x, y } = yield* telling
        const { peers } = yield* replicating(y, [{ peer }])
        yield* Queue.offer(told, [])
        yield* TestClock.adjust("10 millis")
        expect((yield* peers)[0]).toMatchObject({ isTelling: true, failures: 0 })
        state.isThere = false
        yield* Queue.offer(told, "gone")
        yield* TestClock.adjust("30 seconds")
        expect((yield* peers)[0]).toMatchObject({ isTelling: false, lastError: "gone", failingSince: 10 })
        const waits = state.attempts.slice(2).map((at, i, all) => at - (all[i - 1] ?? at))
        expect(waits.length).toBeGreaterThan(30)
        expect(Math.max(...waits)).toBe(500)
        yield* x.topics.publish("orders", "1")
        state.isThere = true
        yield* TestClock.adjust("1 second")
        expect(yield* y.topics.heads).toHaveLength(1)
        expect((yield* peers)[0]).toMatchObject({ failures: 0, failingSince: 0 })
      }),
    ),
  )

  it.effect("that is somebody else is asked less and less often", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { peer, state, y } = yield* telling
        const { peers } = yield* replicating(y, [{ peer, settings: { identity: idOf("z") } }])
        yield* TestClock.adjust("3 minutes")
        const waits = state.attempts.map((at, i, all) => at - (all[i - 1] ?? at)).slice(1)
        expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000])
        expect((yield* peers)[0]?.lastError).toMatch(/is t\/l\/x, and should be t\/l\/z/)
        expect(state.passes).toBe(0)
      }),
    ),
  )
})
