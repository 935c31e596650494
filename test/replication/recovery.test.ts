/** A node that has lost its disk, or came back with an old copy of it: what it had published is with its peers. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as TestClock from "effect/testing/TestClock"
import { type Peer, PeerUnreachable } from "../../src/replication/index.ts"
import { asPeer, contentsOf, makeNode, passOver, replicating } from "./nodes.ts"

/** A node that has published and deleted, a peer that has it all, and the node again, with a new store. */
const lost = Effect.gen(function* () {
  const [before, peer, after] = yield* Effect.all([makeNode("x"), makeNode("y"), makeNode("x")])
  for (let i = 1; i <= 9; i++) yield* before.topics.publish("orders", `${i}`)
  yield* before.topics.deleteRange("orders", 3, 5)
  yield* passOver(peer, asPeer(before)).pass
  return { before, peer, after }
})

describe("a lost disk", () => {
  it.effect("is filled from a peer that has to be a certain node, deletions included, and goes on behind", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { after, before, peer } = yield* lost
        const pinned = passOver(after, asPeer(peer), { identity: peer.id, batch: 4 })
        expect((yield* pinned.pass).failed).toBe(0)
        expect(yield* contentsOf(after)).toEqual(yield* contentsOf(before))
        expect((yield* after.topics.publish("orders", "10")).offset).toBe(10)
        expect((yield* pinned.pass).failed).toBe(0)
      }),
    ),
  )

  it.effect("goes on behind what is known to be deleted, also where nobody has the messages", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [before, peer, after] = yield* Effect.all([makeNode("x"), makeNode("y"), makeNode("x")])
        for (let i = 1; i <= 9; i++) yield* before.topics.publish("orders", `${i}`)
        yield* before.topics.deleteRange("orders", 7, 8)
        // The peer has heard of the deletion, and of the log only as far as here.
        const markersAlone: Peer = {
          ...asPeer(before),
          heads: Effect.map(asPeer(before).heads, (heads) =>
            heads.map((head) => (head.topic === "orders" ? { ...head, offset: 5 } : head)),
          ),
        }
        yield* passOver(peer, markersAlone).pass
        const { recovered } = yield* replicating(after, [{ peer: asPeer(peer), settings: { identity: peer.id } }])
        yield* TestClock.adjust("1 second")
        yield* recovered
        // The sixth is lost; what is published now is deleted nowhere.
        const next = yield* after.topics.publish("orders", "next")
        expect(next.offset).toBe(9)
        yield* passOver(peer, asPeer(after)).pass
        expect(yield* contentsOf(peer)).toEqual(yield* contentsOf(after))
        const [message] = yield* peer.topics.fetch("orders", { origin: after.id, from: 9 })
        expect(message?.deleted).toBe(false)
      }),
    ),
  )

  it.effect("holds up nobody for ever where its end cannot be found, in a way that nobody expected", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { after, peer } = yield* lost
        const broken = { ...after, replica: { ...after.replica, read: () => Effect.die("a bug") } }
        const { recovered } = yield* replicating(broken, [{ peer: asPeer(peer), settings: { identity: peer.id } }])
        yield* TestClock.adjust("2 seconds")
        yield* recovered
      }),
    ),
  )

  it.effect("is not filled from a peer that may be anybody", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { after, peer } = yield* lost
        const { book, pass } = passOver(after, asPeer(peer))
        expect((yield* pass).failed).toBe(2)
        expect(book.logs()[0]?.lastError).toMatch(/own log of .* up to/)
        expect(yield* after.topics.heads).toEqual([])
      }),
    ),
  )

  it.effect("is filled once: what a peer has more of later is an alarm", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { after, before, peer } = yield* lost
        const { pass } = passOver(after, asPeer(peer), { identity: peer.id })
        expect((yield* pass).failed).toBe(0)
        // The first of the two goes on elsewhere, under the same name.
        yield* before.topics.publish("orders", "10")
        yield* passOver(peer, asPeer(before)).pass
        expect((yield* pass).failed).toBe(1)
        expect(yield* after.topics.head("orders")).toMatchObject({ value: 9 })
      }),
    ),
  )

  it.effect("holds up those who would publish, until it is filled", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { after, peer } = yield* lost
        let isThere = false
        const gone = new PeerUnreachable({ message: "gone" })
        const late: Peer = { ...asPeer(peer), identity: Effect.suspend(() => (isThere ? asPeer(peer).identity : gone)) }
        const { recovered } = yield* replicating(after, [{ peer: late, settings: { identity: peer.id } }])
        const waiting = yield* Effect.forkChild(recovered)
        yield* TestClock.adjust("1 second")
        expect(waiting.pollUnsafe()).toBeUndefined()
        isThere = true
        yield* TestClock.adjust("900 millis")
        expect(waiting.pollUnsafe()).toBeDefined()
        expect(yield* contentsOf(after)).toHaveLength(2)
      }),
    ),
  )

  it.effect("holds up nobody for longer than was said", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { after, peer } = yield* lost
        const dead: Peer = { ...asPeer(peer), identity: Effect.never }
        const { recovered } = yield* replicating(after, [{ peer: dead, settings: { identity: peer.id } }])
        const waiting = yield* Effect.forkChild(recovered)
        yield* TestClock.adjust("1999 millis")
        expect(waiting.pollUnsafe()).toBeUndefined()
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(waiting)
        // Nobody is waited for where there is nothing to be got back.
        yield* (yield* replicating(after, [{ peer: dead }])).recovered
      }),
    ),
  )
})

describe("two nodes of one identity", () => {
  it.effect("are noticed at a peer of both, and by themselves", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [one, other, peer] = yield* Effect.all([makeNode("x"), makeNode("x"), makeNode("y")])
        for (let i = 1; i <= 4; i++) yield* one.topics.publish("orders", `one ${i}`)
        for (let i = 1; i <= 3; i++) yield* other.topics.publish("orders", `other ${i}`)
        yield* passOver(peer, asPeer(one)).pass
        const before = yield* contentsOf(peer)
        // The other one has less of the log, and looks at what the peer has of it.
        const ofOther = passOver(other, asPeer(peer))
        expect((yield* ofOther.pass).problem).toMatch(/own log of orders up to 4/)
        yield* other.topics.publish("orders", "other 4")
        yield* TestClock.adjust("1 minute")
        expect((yield* ofOther.pass).problem).toMatch(/another message at offset 4 of this node's own log/)
        expect(ofOther.book.state()).toMatchObject({ logsFailing: 1, logsQuarantined: 1 })
        // And the peer looks at both.
        const ofPeer = passOver(peer, asPeer(other))
        expect((yield* ofPeer.pass).problem).toMatch(/offset 4 .* stored with other content/)
        expect(yield* contentsOf(peer)).toEqual(before)
        const direct = yield* Effect.flip(passOver(one, asPeer(other)).pass)
        expect(direct).toMatchObject({ reason: "own identity" })
      }),
    ),
  )
})
