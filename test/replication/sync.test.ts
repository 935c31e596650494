/** Peers over millrace.v1, by real sockets: what moves is told at once, and nobody is asked for it. */
import { describe, expect, it, vi } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { makePeer } from "../../src/protocol/grpc/index.ts"
import { contentsOf, idOf, makeNode } from "./nodes.ts"
import { following, hour, serve, subscriber, telling, unasked, until } from "./served.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

describe("peers over millrace.v1", () => {
  it.live("tell each other at once what is published, deleted and passed on", () =>
    Effect.gen(function* () {
      const [x, y, z] = yield* Effect.all([makeNode("x"), makeNode("y"), makeNode("z")])
      const [xUrl, yUrl] = yield* Effect.all([serve(x), serve(y)])
      yield* x.topics.publish("orders", "1")
      const got = yield* subscriber(z, "orders", 4)
      const replications = [
        yield* following(y, xUrl, unasked),
        yield* following(x, yUrl, unasked),
        yield* following(z, yUrl, unasked),
      ]
      for (const replication of replications) yield* telling(replication)
      for (const payload of ["2", "3"]) yield* x.topics.publish("orders", payload)
      yield* y.topics.publish("orders", "of another")
      expect((yield* got).toSorted()).toEqual(["1", "2", "3", "of another"])
      yield* x.topics.deleteRange("orders", 2, 2)
      const equal = yield* until(
        Effect.all([contentsOf(x), contentsOf(y), contentsOf(z)]),
        ([a, b, c]) =>
          a.length === 3 && JSON.stringify(a) === JSON.stringify(b) && JSON.stringify(b) === JSON.stringify(c),
      )
      expect(equal[2].map(({ log, head }) => [log, head])).toEqual([
        ["$msgbus.delete@t/l/x", 1],
        ["orders@t/l/x", 3],
        ["orders@t/l/y", 1],
      ])
    }).pipe(Effect.scoped),
  )

  it.live("list more logs than fit into one answer", () =>
    Effect.gen(function* () {
      const x = yield* makeNode("x")
      const drafts = Array.from({ length: 12_000 }, (_, i) => ({ topic: `sensors/${i}`, payload: "1" }))
      yield* x.topics.publishAll(drafts)
      // Answers of 128 KiB or so, where all logs together take more than twice that.
      const peer = yield* makePeer({ url: yield* serve(x), receiveBytesMax: 192 * 1024 })
      expect(yield* peer.identity).toEqual(idOf("x"))
      const heads = yield* peer.heads
      expect(new Set(heads.map(({ topic }) => topic)).size).toBe(12_000)
      expect(heads.every(({ offset, origin }) => offset === 1 && origin.device === "x")).toBe(true)
    }).pipe(Effect.scoped),
  )

  it.live("are asked over msgbus.v1 where they know nothing else, and no more once they do", () =>
    Effect.gen(function* () {
      const [x, y] = yield* Effect.all([makeNode("x"), makeNode("y")])
      const old = yield* Scope.make()
      const url = yield* Scope.provide(serve(x, { onlyMsgbus: true }), old)
      const replication = yield* following(y, url, { intervalMillis: 20, relistMillis: hour, retryMillisMax: 20 })
      const first = yield* subscriber(y, "orders", 2)
      for (const payload of ["1", "2"]) yield* x.topics.publish("orders", payload)
      expect(yield* first).toEqual(["1", "2"])
      expect((yield* replication.peers)[0]).toMatchObject({ isTelling: false, identity: idOf("x") })
      yield* Scope.close(old, Exit.void)
      yield* serve(x, { port: Number(new URL(url).port) })
      yield* telling(replication)
      const second = yield* subscriber(y, "orders", 1)
      yield* x.topics.publish("orders", "3")
      expect(yield* second).toEqual(["3"])
    }).pipe(Effect.scoped),
  )
})
