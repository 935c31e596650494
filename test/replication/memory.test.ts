/** What a node remembers of its peers, over restarts; and that it writes nothing down where nothing is new. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as TestClock from "effect/testing/TestClock"
import { type Peer, PeerUnreachable } from "../../src/replication/index.ts"
import { asPeer, makeNode, passOver, replicating, type TestNode } from "./nodes.ts"

/** A node whose writes of records, and a peer whose calls, are counted. */
const counted = (node: TestNode, of: TestNode) => {
  const counts = { writes: 0, heads: 0, fetches: 0 }
  const count = <A, E>(name: keyof typeof counts, effect: Effect.Effect<A, E>) =>
    Effect.andThen(
      Effect.sync(() => counts[name]++),
      effect,
    )
  const peer: Peer = {
    ...asPeer(of),
    heads: count("heads", asPeer(of).heads),
    fetch: (log, from, limit) => count("fetches", asPeer(of).fetch(log, from, limit)),
  }
  const { records } = node
  const counting: TestNode = {
    ...node,
    records: { ...records, write: (change) => count("writes", records.write(change)) },
  }
  return { counts, peer, node: counting }
}

describe("what is known of a peer", () => {
  it.effect("is not written down again where nothing is new, and costs one question a pass", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, y] = yield* Effect.all([makeNode("x"), makeNode("y")])
        for (let i = 1; i <= 20; i++) yield* x.topics.publish(`orders/${i}`, `${i}`)
        const { counts, node, peer } = counted(y, x)
        const { states } = yield* replicating(node, [{ peer }])
        yield* TestClock.adjust("3 seconds")
        expect(yield* states).toHaveLength(20)
        const before = { ...counts }
        yield* TestClock.adjust("60 seconds")
        expect({ writes: counts.writes, fetches: counts.fetches }).toEqual({
          writes: before.writes,
          fetches: before.fetches,
        })
        expect(counts.heads - before.heads).toBe(60)
        yield* x.topics.publish("orders/7", "more")
        yield* TestClock.adjust("3 seconds")
        expect(counts.writes - before.writes).toBe(1)
      }),
    ),
  )

  it.effect("is there again after a restart: what was compared is not compared again, what failed has failed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, y, z] = yield* Effect.all([makeNode("x"), makeNode("y"), makeNode("z")])
        for (let i = 1; i <= 5; i++) yield* x.topics.publish("orders", `${i}`)
        for (let i = 1; i <= 3; i++) yield* z.topics.publish("passed on", `${i}`)
        yield* passOver(x, asPeer(z)).pass
        yield* y.topics.publish("mine", "1")
        const { counts, node, peer } = counted(y, x)
        const settings = { identity: x.id }
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* replicating(node, [{ peer, settings }])
            yield* TestClock.adjust("3 seconds")
          }),
        )
        const gone: Peer = { ...peer, identity: Effect.fail(new PeerUnreachable({ message: "gone" })) }
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { recovered } = yield* replicating(node, [{ peer: gone, settings }])
            // The store has been in step with it: there is nothing to wait for.
            yield* recovered
            yield* TestClock.adjust("3 seconds")
          }),
        )
        const fetches = counts.fetches
        const again = yield* replicating(node, [{ peer, settings }])
        const [state] = yield* again.states
        expect(state).toMatchObject({ localHead: 5, remoteHead: 5, syncedHead: 5, failures: 0 })
        expect((yield* again.peers)[0]).toMatchObject({ identity: x.id, lastError: "gone", logs: 2 })
        expect((yield* again.peers)[0]?.failingSince).toBeGreaterThan(0)
        yield* TestClock.adjust("3 seconds")
        expect((yield* again.peers)[0]).toMatchObject({ failures: 0, failingSince: 0, lastError: undefined })
        // But for its own log: it may have come back on an old copy of its store.
        expect(counts.fetches).toBe(fetches + 1)
      }),
    ),
  )

  it.effect("is forgotten with the peer", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, y, z] = yield* Effect.all([makeNode("x"), makeNode("y"), makeNode("z")])
        yield* x.topics.publish("orders", "1")
        yield* Effect.scoped(
          Effect.andThen(replicating(y, [{ peer: asPeer(x) }, { peer: asPeer(z) }]), TestClock.adjust("3 seconds")),
        )
        expect((yield* y.records.records("sync/")).length).toBe(3)
        yield* y.records.write({ put: [{ key: "sync/peer/t/l/z", value: "{" }], remove: [] })
        yield* replicating(y, [{ peer: asPeer(z) }])
        expect(yield* y.records.records("sync/")).toEqual([])
      }),
    ),
  )
})
