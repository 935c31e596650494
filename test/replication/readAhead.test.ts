/** Reading ahead of what is being stored: a bounded number of questions, and every message whatever each answer holds. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import type { Peer } from "../../src/replication/index.ts"
import { asBlockPeer, asPeer, contentsOf, makeNode, passOver } from "./nodes.ts"

/** A peer that gives so many messages of those that are asked for, and counts the questions that it has at a time. */
const giving = (peer: Peer, sizes: ReadonlyArray<number>) => {
  let [now, most, total] = [0, 0, 0]
  const limited: Peer = {
    ...peer,
    fetch: (log, from, limit) => {
      const size = sizes[total++ % sizes.length]!
      return Effect.acquireUseRelease(
        Effect.sync(() => (most = Math.max(most, ++now))),
        () => Effect.delay(peer.fetch(log, from, Math.min(limit, size)), "1 millis"),
        () => Effect.sync(() => now--),
      )
    },
  }
  return { limited, counts: () => ({ most, total, now }) }
}

describe("reading ahead", () => {
  it("gets every message once, in order, however little an answer holds", () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 2, max: 9 }),
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(asPeer, asBlockPeer),
        (count, known, batch, sizes, asPeerOf) =>
          Effect.runPromise(
            Effect.scoped(
              Effect.gen(function* () {
                const [x, y] = yield* Effect.all([makeNode("x"), makeNode("y")])
                const publish = (from: number, to: number) =>
                  x.topics.publishAll(
                    Array.from({ length: to - from }, (_, i) => ({ topic: "orders", payload: `${from + i}` })),
                  )
                yield* publish(0, Math.min(known, count))
                yield* passOver(y, asPeer(x)).pass
                yield* publish(Math.min(known, count), count)
                const { counts, limited } = giving(asPeerOf(x), sizes)
                const result = yield* passOver(y, limited, { batch }).pass
                expect(result).toMatchObject({ accepted: count - Math.min(known, count), failed: 0 })
                expect(yield* contentsOf(y)).toEqual(yield* contentsOf(x))
                expect(counts()).toMatchObject({ now: 0 })
                expect(counts().most).toBeLessThanOrEqual(3)
              }),
            ),
          ),
      ),
      { numRuns: 60 },
    ))

  it.live("asks for what follows before what came is stored", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, y] = yield* Effect.all([makeNode("x"), makeNode("y")])
        for (let i = 0; i < 50; i++) yield* x.topics.publish("orders", `${i}`)
        const { counts, limited } = giving(asPeer(x), [100])
        yield* passOver(y, limited, { batch: 5 }).pass
        expect(counts()).toMatchObject({ most: 3, now: 0 })
      }),
    ),
  )
})
