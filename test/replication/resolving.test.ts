/** Somebody decides which copy of a log is right. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as TestClock from "effect/testing/TestClock"
import { type Peer, PeerUnreachable } from "../../src/replication/index.ts"
import { asPeer, contentsOf, makeNode, passOver, replicating, type TestNode } from "./nodes.ts"

/** The same peer under another name. */
const named = (name: string, peer: Peer): Peer => ({ ...peer, name })

/**
 * Two nodes of one identity, x, whose logs of orders agree up to 2; z has the first one's, with a deletion, and asks both.
 */
const differing = Effect.gen(function* () {
  const [one, other, z] = yield* Effect.all([makeNode("x"), makeNode("x"), makeNode("z")])
  for (let i = 1; i <= 2; i++) yield* one.topics.publish("orders", `${i}`)
  // The other one is made of a copy of the first.
  yield* passOver(other, { ...asPeer(one), identity: Effect.succeed(z.id) }, { identity: z.id }).pass
  for (let i = 3; i <= 6; i++) yield* one.topics.publish("orders", `one ${i}`)
  for (let i = 3; i <= 8; i++) yield* other.topics.publish("orders", `other ${i}`)
  yield* passOver(z, asPeer(one)).pass
  const links = [{ peer: named("grpc://one", asPeer(one)) }, { peer: named("grpc://other", asPeer(other)) }]
  return { one, other, z, links, log: { topic: "orders", origin: one.id } }
})

const payloadsOf = ({ topics }: TestNode, origin: TestNode) =>
  Effect.map(topics.fetch("orders", { origin: origin.id }), (messages) =>
    messages.map(({ deleted, payload }) => (deleted ? "-" : new TextDecoder().decode(payload))),
  )

describe("a log whose copies differ", () => {
  it.effect("is left as it is where what is here is right, and is no alarm any more, also after a restart", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { links, log, one, z } = yield* differing
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { peers, resolve } = yield* replicating(z, links)
            yield* TestClock.adjust("3 seconds")
            expect((yield* peers)[1]).toMatchObject({ logsFailing: 1, logsQuarantined: 1, behind: 2 })
            expect(yield* resolve(log, "local")).toMatchObject({ peers: ["grpc://other"], discarded: 0, head: 6 })
            expect((yield* peers)[1]).toMatchObject({ logsFailing: 0, logsQuarantined: 0, behind: 0 })
            yield* TestClock.adjust("3 minutes")
            expect((yield* peers)[1]).toMatchObject({ logsFailing: 0, logsQuarantined: 0 })
          }),
        )
        const { peers, states } = yield* replicating(z, links)
        yield* TestClock.adjust("3 minutes")
        expect((yield* peers)[1]).toMatchObject({ logsFailing: 0, logsQuarantined: 0 })
        expect((yield* states).find(({ quarantine }) => quarantine !== undefined)?.quarantine).toMatchObject({
          offset: 6,
          isKept: true,
        })
        expect(yield* payloadsOf(z, one)).toEqual(yield* payloadsOf(one, one))
      }),
    ),
  )

  it.effect("is taken from the peer where that is right, from the first message on that differs", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { links, log, other, z } = yield* differing
        const { peers, resolve } = yield* replicating(z, links)
        yield* TestClock.adjust("3 seconds")
        expect(yield* resolve(log, "peer", "grpc://other")).toEqual({
          log,
          peers: ["grpc://other"],
          keep: "peer",
          differedFrom: 3,
          discarded: 4,
          accepted: 6,
          head: 8,
        })
        expect(yield* payloadsOf(z, other)).toEqual(yield* payloadsOf(other, other))
        yield* TestClock.adjust("3 seconds")
        expect((yield* peers)[1]).toMatchObject({ logsFailing: 0, logsQuarantined: 0, behind: 0 })
        // Now it is the first one's copy that differs.
        yield* links[0]!.peer.heads
        yield* TestClock.adjust("1 minute")
        expect(yield* payloadsOf(z, other)).toEqual(yield* payloadsOf(other, other))
      }),
    ),
  )

  it.effect("of this node itself is taken from the peer too, where somebody says so", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { log, one, other, z } = yield* differing
        yield* other.topics.publish("orders", "other 9")
        const { resolve } = yield* replicating(other, [{ peer: asPeer(z) }])
        yield* TestClock.adjust("3 seconds")
        expect(yield* resolve(log, "peer")).toMatchObject({ differedFrom: 3, discarded: 7, accepted: 4, head: 6 })
        expect(yield* payloadsOf(other, one)).toEqual(yield* payloadsOf(one, one))
        expect((yield* other.topics.publish("orders", "7")).offset).toBe(7)
      }),
    ),
  )

  it.effect("of this node itself is filled by the next pass where taking it was broken off", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { log, one, other, z } = yield* differing
        let isThere = true
        const peer = asPeer(z)
        const leaving: Peer = {
          ...peer,
          fetch: (of, from, limit) =>
            isThere || from < 4 ? peer.fetch(of, from, limit) : new PeerUnreachable({ message: "gone" }),
        }
        const { resolve } = yield* replicating(other, [{ peer: leaving, settings: { batch: 2 } }])
        yield* TestClock.adjust("3 seconds")
        const compared = yield* Effect.forkChild(resolve(log, "peer"), { startImmediately: true })
        isThere = false
        expect(yield* Effect.flip(Fiber.join(compared))).toMatchObject({ _tag: "PeerUnreachable" })
        expect(yield* payloadsOf(other, one)).toEqual(["1", "2", "one 3", "one 4"])
        isThere = true
        yield* TestClock.adjust("10 seconds")
        expect(yield* payloadsOf(other, one)).toEqual(yield* payloadsOf(one, one))
      }),
    ),
  )

  it.effect("stays deleted where it was deleted", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { links, log, one, other, z } = yield* differing
        yield* one.topics.deleteRange("orders", 4, 5)
        const { resolve } = yield* replicating(z, links)
        yield* TestClock.adjust("3 seconds")
        yield* resolve(log, "peer", "grpc://other")
        expect(yield* payloadsOf(z, other)).toEqual(["1", "2", "other 3", "-", "-", "other 6", "other 7", "other 8"])
      }),
    ),
  )

  it.effect("is not decided about where there is nothing to decide, or it is not clear what", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { links, log, other, z } = yield* differing
        const both = [...links, { peer: named("grpc://again", asPeer(other)) }]
        const { resolve } = yield* replicating(z, both)
        yield* TestClock.adjust("3 seconds")
        const before = yield* contentsOf(z)
        const reason = (...args: Parameters<typeof resolve>) => Effect.flip(resolve(...args))
        expect(yield* reason({ ...log, topic: "others" }, "peer")).toMatchObject({ reason: "not quarantined" })
        expect(yield* reason(log, "peer", "grpc://one")).toMatchObject({ reason: "not quarantined" })
        expect(yield* reason(log, "peer")).toMatchObject({ reason: "several peers" })
        expect(yield* reason(log, "local", "grpc://none")).toMatchObject({ reason: "no such peer" })
        expect(yield* contentsOf(z)).toEqual(before)
      }),
    ),
  )

  it.effect("is kept where the peer is gone before its copy was looked at", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { log, other, z } = yield* differing
        const gone = new PeerUnreachable({ message: "gone" })
        let left = 100
        const peer = asPeer(other)
        const leaving: Peer = {
          ...peer,
          fetch: (of, from, limit) => Effect.suspend(() => (left-- > 0 ? peer.fetch(of, from, limit) : gone)),
        }
        const { resolve } = yield* replicating(z, [{ peer: leaving, settings: { batch: 2, intervalMillis: 60_000 } }])
        yield* TestClock.adjust("1 second")
        const before = yield* contentsOf(z)
        left = 1
        expect(yield* Effect.flip(resolve(log, "peer"))).toMatchObject({ _tag: "PeerUnreachable" })
        expect(yield* contentsOf(z)).toEqual(before)
      }),
    ),
  )
})
