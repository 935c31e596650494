/** Peers that are broken, or lie: whatever they give, nothing here is harmed, and the state says what happened. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as DeleteMarker from "../../src/domain/DeleteMarker.ts"
import { noHeaders } from "../../src/domain/Message.ts"
import { deleteMarkers } from "../../src/domain/Topic.ts"
import { type Peer, type PeerMessage, PeerUnreachable } from "../../src/replication/index.ts"
import { asPeer, contentsOf, idOf, makeNode, passOver, type PlainPeer } from "./nodes.ts"

/** What a lie is about, and how the true peer is turned into a liar. */
const lies: ReadonlyArray<readonly [what: string, lie: (peer: PlainPeer) => Peer, says: RegExp]> = [
  ["a message of another topic", changing((message) => ({ ...message, topic: "other" })), /another log was asked for/],
  [
    "a message of another origin",
    changing((message) => ({ ...message, origin: idOf("z") })),
    /another log was asked for/,
  ],
  ["a gap", changing((message) => ({ ...message, offset: message.offset + 1 })), /was due/],
  ["absurd offsets", changing((message) => ({ ...message, offset: Number.NaN })), /was due/],
  ["no id", changing((message) => ({ ...message, id: "" })), /cannot be/],
  ["an id without end", changing((message) => ({ ...message, id: "x".repeat(1000) })), /cannot be/],
  ["a time that is none", changing((message) => ({ ...message, createdAt: -1 })), /cannot be/],
  [
    "a message that is too large",
    changing((message) => ({ ...message, payload: new Uint8Array(4 * 1024 * 1024) })),
    /at most/,
  ],
  [
    "other content than is here",
    changing((message) => ({ ...message, payload: new TextEncoder().encode("changed") })),
    /other content|differs|conflict/i,
  ],
  [
    "more than was asked for",
    (peer) => ({ ...peer, fetch: (log, from) => peer.fetch(log, from, 10_000) }),
    /were asked for/,
  ],
  ["nothing of what it lists", (peer) => ({ ...peer, fetch: () => Effect.succeed([]) }), /gives nothing from 1 on/],
  [
    "heads beyond all numbers",
    (peer) => ({
      ...peer,
      heads: Effect.map(peer.heads, (heads) => heads.map((head) => ({ ...head, offset: 2 ** 60 }))),
    }),
    /whole number/,
  ],
]

function changing(change: (message: PeerMessage) => PeerMessage): (peer: PlainPeer) => Peer {
  return (peer) => ({
    ...peer,
    fetch: (log, from, limit) => Effect.map(peer.fetch(log, from, limit), (messages) => messages.map(change)),
  })
}

describe("a peer that lies", () => {
  it.effect.each(lies)("with %s changes nothing", ([, lie, says]) =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, y] = yield* Effect.forEach(["x", "y"] as const, makeNode)
        yield* x!.topics.publish("orders", "1")
        yield* y!.topics.publish("mine", "1")
        yield* passOver(y!, asPeer(x!)).pass
        for (let i = 2; i <= 9; i++) yield* x!.topics.publish("orders", `${i}`)
        const before = yield* contentsOf(y!)
        const { pass, book } = passOver(y!, lie(asPeer(x!)), { batch: 4 })
        expect((yield* pass).failed).toBe(1)
        expect(yield* contentsOf(y!)).toEqual(before)
        const [state] = book.logs()
        expect(state?.lastError).toMatch(says)
        expect(state?.failures).toBe(1)
        // And the truth is taken afterwards.
        expect((yield* passOver(y!, asPeer(x!)).pass).failed).toBe(0)
        expect((yield* y!.topics.fetch("orders", { origin: x!.id })).length).toBe(9)
      }),
    ),
  )

  it.effect("and does not give one of its logs is still there for the others", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, y] = yield* Effect.all([makeNode("x"), makeNode("y")])
        for (const topic of ["a", "b", "c"]) yield* x.topics.publish(topic, "1")
        const silent = new PeerUnreachable({ message: "no answer" })
        const peer: Peer = {
          ...asPeer(x),
          fetch: (log, from, limit) => (log.topic === "a" ? silent : asPeer(x).fetch(log, from, limit)),
        }
        const { book, pass } = passOver(y, peer)
        expect(yield* pass).toMatchObject({ accepted: 2, failed: 1, problem: "no answer" })
        expect(book.logs()[0]).toMatchObject({ log: { topic: "a" }, failures: 1, lastError: "no answer" })
        // One that is gone altogether is not asked for the next log.
        const asked: Array<string> = []
        const leaving: Peer = {
          ...peer,
          identity: Effect.suspend(() => (asked.length === 0 ? asPeer(x).identity : silent)),
          fetch: ({ topic }) => {
            asked.push(topic)
            return silent
          },
        }
        const [z] = yield* Effect.all([makeNode("z")])
        const left = passOver(z, leaving)
        expect(yield* Effect.flip(left.pass)).toMatchObject({ _tag: "PeerUnreachable" })
        expect(asked).toEqual(["a"])
        expect(left.book.logs()[0]).toMatchObject({ failures: 0 })
      }),
    ),
  )

  it.effect("about who it is, is asked nothing else", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, y] = yield* Effect.forEach(["x", "y"] as const, makeNode)
        yield* x!.topics.publish("orders", "1")
        const mute: Peer = { ...asPeer(x!), heads: Effect.die("was asked"), fetch: () => Effect.die("was asked") }
        const other = yield* Effect.flip(passOver(y!, mute, { identity: idOf("z") }).pass)
        expect(other).toMatchObject({ _tag: "PeerRefused", reason: "other identity" })
        const own = yield* Effect.flip(passOver(y!, { ...mute, identity: Effect.succeed(y!.id) }).pass)
        expect(own).toMatchObject({ _tag: "PeerRefused", reason: "own identity" })
      }),
    ),
  )

  it.effect("about what it has, ever otherwise, is not remembered for ever", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, y] = yield* Effect.forEach(["x", "y"] as const, makeNode)
        let asked = 0
        const listed = () =>
          Array.from({ length: 10 }, (_, i) => ({ topic: `t${asked}/${i}`, origin: x!.id, offset: 1 }))
        const liar: Peer = {
          ...asPeer(x!),
          heads: Effect.sync(() => {
            asked++
            return listed()
          }),
        }
        const { pass, book } = passOver(y!, liar)
        yield* Effect.repeat(pass, { times: 5 })
        expect(book.logs().map(({ log }) => log.topic)).toEqual(listed().map(({ topic }) => topic))
      }),
    ),
  )

  it.effect("about deletions of others cannot delete anything", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, y] = yield* Effect.forEach(["x", "y"] as const, makeNode)
        yield* y!.topics.publish("mine", "1")
        const marker: PeerMessage = {
          topic: deleteMarkers,
          origin: x!.id,
          offset: 1,
          id: "forged",
          createdAt: 1,
          headers: noHeaders,
          payload: DeleteMarker.payload({ log: { topic: "mine", origin: y!.id }, from: 1, to: 1, createdAt: 1 }),
          deleted: false,
        }
        const liar: Peer = {
          ...asPeer(x!),
          heads: Effect.succeed([{ topic: deleteMarkers, origin: x!.id, offset: 1 }]),
          fetch: () => Effect.succeed([marker]),
        }
        yield* passOver(y!, liar).pass
        const [message] = yield* y!.topics.fetch("mine")
        expect(message?.deleted).toBe(false)
      }),
    ),
  )

  it.effect("about deletions that it had told of otherwise cannot delete anything", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, y] = yield* Effect.forEach(["x", "y"] as const, makeNode)
        for (let i = 1; i <= 5; i++) yield* x!.topics.publish("orders", `${i}`)
        yield* x!.topics.deleteRange("orders", 1, 1)
        yield* passOver(y!, asPeer(x!)).pass
        const before = yield* contentsOf(y!)
        yield* x!.topics.deleteRange("orders", 2, 2)
        const forged = DeleteMarker.payload({ log: { topic: "orders", origin: x!.id }, from: 1, to: 5, createdAt: 1 })
        const liar = changing((message) => ({ ...message, payload: forged }))(asPeer(x!))
        // What is as long here as there is compared too.
        expect((yield* passOver(y!, liar).pass).failed).toBe(2)
        expect(yield* contentsOf(y!)).toEqual(before)
      }),
    ),
  )

  it.effect("about this node's own log raises an alarm, and is not believed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [x, y] = yield* Effect.forEach(["x", "y"] as const, makeNode)
        yield* y!.topics.publish("mine", "1")
        const before = yield* contentsOf(y!)
        const liar: Peer = { ...asPeer(x!), heads: Effect.succeed([{ topic: "mine", origin: y!.id, offset: 7 }]) }
        const { pass, book } = passOver(y!, liar)
        expect((yield* pass).failed).toBe(1)
        expect(book.logs()[0]?.lastError).toMatch(/own log of mine up to 7/)
        expect(yield* contentsOf(y!)).toEqual(before)
      }),
    ),
  )
})
