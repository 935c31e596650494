/** A log whose copies differ: it is left alone, and all others go on. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as TestClock from "effect/testing/TestClock"
import { defaultPeerSettings, type Peer } from "../../src/replication/index.ts"
import { PeerSync } from "../../src/replication/internal/PeerSync.ts"
import { asPeer, contentsOf, makeNode, passOver } from "./nodes.ts"

/** Nodes x and y; y has x's log of orders up to 3, and x tells another third message. */
const differing = Effect.gen(function* () {
  const [x, y] = yield* Effect.all([makeNode("x"), makeNode("y")])
  for (let i = 1; i <= 3; i++) yield* x.topics.publish("orders", `${i}`)
  yield* passOver(y, asPeer(x)).pass
  for (let i = 4; i <= 6; i++) yield* x.topics.publish("orders", `${i}`)
  let isLying = true
  const fetched: Array<number> = []
  const peer: Peer = {
    ...asPeer(x),
    fetch: (log, from, limit) => {
      if (log.topic === "orders") fetched.push(from)
      return Effect.map(asPeer(x).fetch(log, from, limit), (messages) =>
        messages.map((message) =>
          isLying && log.topic === "orders" && message.offset === 3 ? { ...message, id: "another" } : message,
        ),
      )
    },
  }
  return { x, y, peer, fetched, recant: () => (isLying = false) }
})

describe("a log whose copies differ", () => {
  it.effect("is quarantined, and harms no other", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { peer, x, y } = yield* differing
        yield* x.topics.publish("others", "1")
        const { book, pass } = passOver(y, peer)
        const result = yield* pass
        expect(result).toMatchObject({ accepted: 1, failed: 1 })
        expect(result.problem).toMatch(/offset 3 .*other content/)
        expect(book.logs().find(({ log }) => log.topic === "orders")).toMatchObject({
          localHead: 3,
          remoteHead: 6,
          failures: 1,
          quarantine: { offset: 3, isKept: false },
        })
        expect(book.state()).toMatchObject({ behind: 3, logsFailing: 1, logsQuarantined: 1 })
        expect(yield* y.topics.head("others", x.id)).toMatchObject({ value: 1 })
      }),
    ),
  )

  it.effect("is looked at again, less and less often, and released when the copies agree", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { fetched, peer, recant, x, y } = yield* differing
        const before = yield* contentsOf(y)
        const { book, pass } = passOver(y, peer, { intervalMillis: 1000, backoffMillisMax: 4000 })
        const asked: Array<number> = []
        for (let second = 0; second < 20; second++) {
          const already = fetched.length
          expect((yield* pass).failed).toBe(1)
          if (fetched.length > already) asked.push(second)
          yield* TestClock.adjust("1 second")
        }
        // At once, after 1 s, 2 s, and then every 4 s.
        expect(asked).toEqual([0, 1, 3, 7, 11, 15, 19])
        expect(yield* contentsOf(y)).toEqual(before)
        recant()
        yield* TestClock.adjust("4 seconds")
        expect(yield* pass).toMatchObject({ accepted: 3, failed: 0 })
        expect(book.logs()[0]).toMatchObject({ failures: 0, quarantine: undefined })
        expect(yield* y.topics.head("orders", x.id)).toMatchObject({ value: 6 })
      }),
    ),
  )

  it.effect("is noticed where a peer comes back on an old copy of its store, and writes on up to where it was", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, again, y] = yield* Effect.all([makeNode("x"), makeNode("x"), makeNode("y")])
        for (let i = 1; i <= 3; i++) yield* x.topics.publish("orders", `${i}`)
        const { book, pass } = passOver(y, asPeer(x))
        expect((yield* pass).accepted).toBe(3)
        // The same peer, with what it has now.
        const sync = new PeerSync(asPeer(again), y.replica, defaultPeerSettings, book)
        for (let i = 1; i <= 3; i++) yield* again.topics.publish("orders", `other ${i}`)
        book.connected()
        expect((yield* sync.pass).problem).toMatch(/offset 3 .*other content/)
      }),
    ),
  )

  it.effect("is noticed where a peer comes back on an old copy of its store between two answers", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, again, y] = yield* Effect.all([makeNode("x"), makeNode("x"), makeNode("y")])
        for (let i = 1; i <= 6; i++) yield* x.topics.publish("orders", `${i}`)
        for (let i = 1; i <= 6; i++) yield* again.topics.publish("orders", `other ${i}`)
        let fetches = 0
        const peer: Peer = {
          ...asPeer(x),
          fetch: (log, from, limit) => asPeer(fetches++ === 0 ? x : again).fetch(log, from, limit),
        }
        expect((yield* passOver(y, peer, { batch: 2 }).pass).problem).toMatch(/offset 2 .*other content/)
        const [log] = yield* contentsOf(y)
        expect(log?.messages.map(({ payload }) => payload)).toEqual(["1", "2"])
      }),
    ),
  )

  it.effect("is noticed where a peer's copy was shorter for a while", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, other, y] = yield* Effect.all([makeNode("x"), makeNode("x"), makeNode("y")])
        for (let i = 1; i <= 3; i++) yield* x.topics.publish("orders", `${i}`)
        // A third node, which passes on what it has of x.
        const z = yield* makeNode("z")
        const { book, pass } = passOver(y, { ...asPeer(x), identity: Effect.succeed(z.id) })
        yield* pass
        const relay: Peer = { ...asPeer(other), identity: Effect.succeed(z.id) }
        const sync = new PeerSync(relay, y.replica, defaultPeerSettings, book)
        yield* other.topics.publish("orders", "other 1")
        expect((yield* sync.pass).failed).toBe(0)
        for (let i = 2; i <= 3; i++) yield* other.topics.publish("orders", `other ${i}`)
        expect((yield* sync.pass).problem).toMatch(/offset 3 .*other content/)
      }),
    ),
  )

  it.effect("is noticed also where both are equally long, once for each new head", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { fetched, peer, recant, x, y } = yield* differing
        const shortened: Peer = {
          ...peer,
          heads: Effect.map(peer.heads, (heads) => heads.map((head) => ({ ...head, offset: 3 }))),
        }
        expect((yield* passOver(y, shortened).pass).problem).toMatch(/offset 3 .*other content/)
        recant()
        const { pass } = passOver(y, shortened)
        fetched.length = 0
        for (let i = 0; i < 5; i++) expect((yield* pass).failed).toBe(0)
        expect(fetched).toEqual([3])
        expect((yield* passOver(y, asPeer(x)).pass).accepted).toBe(3)
      }),
    ),
  )
})
