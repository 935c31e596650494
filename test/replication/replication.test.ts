/** Nodes that get from each other what they have not: in the end all have the same. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import * as TestClock from "effect/testing/TestClock"
import * as fc from "fast-check"
import { type Peer, PeerUnreachable } from "../../src/replication/index.ts"
import { asPeer, contentsOf, idOf, makeNode, passOver, replicating, type TestNode } from "./nodes.ts"

const runs = Number(process.env["LAW_RUNS"] ?? 100)

type Step =
  | { readonly type: "publish"; readonly node: number; readonly topic: string; readonly count: number }
  | {
      readonly type: "delete"
      readonly node: number
      readonly topic: string
      readonly from: number
      readonly to: number
    }
  /** The second number is how many answers the peer gives before it is gone. */
  | { readonly type: "pass"; readonly node: number; readonly peer: number; readonly answers: number }

const nodeCount = 3
const nodeIndex = fc.integer({ min: 0, max: nodeCount - 1 })
const topic = fc.constantFrom("a", "b/c")
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ type: fc.constant("publish" as const), node: nodeIndex, topic, count: fc.integer({ min: 1, max: 5 }) }),
  fc.record({
    type: fc.constant("delete" as const),
    node: nodeIndex,
    topic,
    from: fc.integer({ min: 1, max: 6 }),
    to: fc.integer({ min: 1, max: 6 }),
  }),
  fc.record({
    type: fc.constant("pass" as const),
    node: nodeIndex,
    peer: nodeIndex,
    answers: fc.integer({ min: 0, max: 6 }),
  }),
)

/** A peer that is gone after some answers. */
const failingAfter = (peer: Peer, answers: number): Peer => {
  let left = answers
  const gone = new PeerUnreachable({ message: "gone" })
  const bounded = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E | PeerUnreachable> =>
    Effect.suspend((): Effect.Effect<A, E | PeerUnreachable> => (left-- > 0 ? effect : Effect.fail(gone)))
  return {
    ...peer,
    identity: bounded(peer.identity),
    heads: bounded(peer.heads),
    fetch: (log, from, limit) => bounded(peer.fetch(log, from, limit)),
  }
}

const perform = (nodes: ReadonlyArray<TestNode>, step: Step): Effect.Effect<void, unknown> => {
  const node = nodes[step.node]!
  switch (step.type) {
    case "publish":
      return Effect.forEach(
        Array.from({ length: step.count }, (_, i) => i),
        (i) => node.topics.publish(step.topic, `${node.id.device} ${i}`, { headers: { i: `${i}` } }),
        { discard: true },
      )
    case "delete":
      return Effect.ignore(
        node.topics.deleteRange(step.topic, Math.min(step.from, step.to), Math.max(step.from, step.to)),
      )
    case "pass": {
      const peer = nodes[step.peer]!
      if (peer === node) return Effect.void
      return Effect.ignore(passOver(node, failingAfter(asPeer(peer), step.answers), { batch: 2 }).pass)
    }
  }
}

describe("replication", () => {
  it("converges, whatever is published, deleted and broken off meanwhile (I5)", () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), (steps) =>
        Effect.runPromise(
          Effect.scoped(
            Effect.gen(function* () {
              const nodes = yield* Effect.forEach(["x", "y", "z"], makeNode)
              for (const one of steps) yield* perform(nodes, one)
              // In a ring, each knowing only the next: what is at the last comes to the first by way of the others.
              for (let round = 0; round < nodeCount; round++) {
                for (const [i, node] of nodes.entries()) {
                  const { failed } = yield* passOver(node, asPeer(nodes[(i + 1) % nodeCount]!), { batch: 3 }).pass
                  expect(failed).toBe(0)
                }
              }
              const [first, ...others] = yield* Effect.forEach(nodes, contentsOf)
              for (const other of others) expect(other).toEqual(first)
            }),
          ),
        ),
      ),
      { numRuns: runs },
    ))

  it.effect("delivers what it gets to subscribers here, in order", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, y] = yield* Effect.forEach(["x", "y"] as const, makeNode)
        const got = yield* y!.topics
          .subscribe("#", { from: "end" })
          .pipe(Stream.take(5), Stream.runCollect, Effect.forkChild({ startImmediately: true }))
        for (let i = 1; i <= 5; i++) yield* x!.topics.publish("orders", `${i}`)
        yield* passOver(y!, asPeer(x!), { batch: 2 }).pass
        const messages = yield* Fiber.join(got)
        expect(messages.map(({ offset, origin }) => [offset, origin.device])).toEqual(
          [1, 2, 3, 4, 5].map((i) => [i, "x"]),
        )
      }),
    ),
  )

  it.effect("asks again and again; a peer that does not answer delays no other", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, y] = yield* Effect.forEach(["x", "y"] as const, makeNode)
        const dead: Peer = { ...asPeer(x!), name: "dead", identity: Effect.never }
        yield* replicating(y!, [{ peer: dead }, { peer: asPeer(x!) }])
        for (let i = 1; i <= 3; i++) {
          yield* x!.topics.publish("orders", `${i}`)
          yield* TestClock.adjust("1 second")
          const [head] = yield* y!.topics.heads
          expect(head?.offset).toBe(i)
        }
      }),
    ),
  )

  it.effect("asks again also where asking went wrong in a way that nobody expected", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, y] = yield* Effect.forEach(["x", "y"] as const, makeNode)
        yield* x!.topics.publish("orders", "1")
        let asked = 0
        const peer = asPeer(x!)
        const broken: Peer = {
          ...peer,
          heads: Effect.suspend(() => (++asked === 1 ? Effect.die("a bug") : peer.heads)),
        }
        yield* replicating(y!, [{ peer: broken }])
        yield* TestClock.adjust("10 seconds")
        expect((yield* y!.topics.heads)[0]?.offset).toBe(1)
      }),
    ),
  )

  it.effect("gets large messages, of which no two come with one answer", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, y] = yield* Effect.forEach(["x", "y"] as const, makeNode)
        for (let i = 1; i <= 3; i++) {
          yield* x!.topics.publish("orders", new Uint8Array(3 * 1024 * 1024).fill(i))
          const { accepted, failed } = yield* passOver(y!, asPeer(x!)).pass
          expect({ accepted, failed }).toEqual({ accepted: 1, failed: 0 })
        }
      }),
    ),
  )

  it.effect("takes from a peer only what was agreed on", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, y, z] = yield* Effect.forEach(["x", "y", "z"] as const, makeNode)
        yield* x!.topics.publish("orders", "1")
        yield* y!.topics.publish("orders", "2")
        yield* passOver(y!, asPeer(x!)).pass
        yield* passOver(z!, asPeer(y!), { origins: [idOf("y")] }).pass
        expect((yield* z!.topics.heads).map(({ origin }) => origin.device)).toEqual(["y"])
      }),
    ),
  )
})
