/** Peers over msgbus.v1, by real sockets. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { contentsOf, makeNode, type TestNode } from "./nodes.ts"
import { following, serve } from "./served.ts"

const asking = (node: TestNode, peer: TestNode) =>
  Effect.flatMap(serve(peer, { onlyMsgbus: true }), (url) => following(node, url, { intervalMillis: 20, batch: 7 }))

describe("peers over msgbus.v1", () => {
  it.live("get from each other what they have not, in both directions", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, y] = yield* Effect.all([makeNode("x"), makeNode("y")])
        for (let i = 1; i <= 50; i++) {
          yield* x.topics.publish("orders", `${i}`, { headers: { i: `${i}` } })
          yield* y.topics.publish("orders", `${i}`)
        }
        const states = [yield* asking(x, y), yield* asking(y, x)]
        yield* x.topics.deleteRange("orders", 10, 20)
        const contents = Effect.all([contentsOf(x), contentsOf(y)])
        const equal = yield* Effect.repeat(Effect.delay(contents, "20 millis"), {
          until: ([a, b]) => a.length === 3 && JSON.stringify(a) === JSON.stringify(b),
        })
        expect(equal[0].map(({ log, head }) => [log, head])).toEqual([
          ["$msgbus.delete@t/l/x", 1],
          ["orders@t/l/x", 50],
          ["orders@t/l/y", 50],
        ])
        for (const { states: ofPeer } of states) {
          for (const { failures, localHead, remoteHead } of yield* ofPeer) {
            expect([failures, localHead]).toEqual([0, remoteHead])
          }
        }
      }),
    ),
  )
})
