/** Clients of one exchange in this process: what they send arrives, and at whom. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Exchange from "../../src/exchange/index.ts"

const layer = Layer.provide(Exchange.layer, Exchange.Router.layer())

const take = (client: Exchange.ExchangeClient, count: number) =>
  client.inbox.pipe(
    Stream.take(count),
    Stream.runCollect,
    Effect.map((all) =>
      all.map(({ kind, sender, topic, payload }) => [kind, sender, topic, new TextDecoder().decode(payload)].join(" ")),
    ),
  )

describe("the exchange", () => {
  it.effect("delivers messages, broadcasts and publications in the order of sending", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { connect } = yield* Exchange.Exchange
        const ada = yield* connect("ada")
        const bob = yield* connect("work.bob")
        yield* bob.subscribe("news/#")
        yield* ada.send("work.bob", "1")
        yield* ada.broadcast("work.*", "2")
        yield* ada.publish("news/today", "3")
        yield* ada.publish("other", "never")
        yield* ada.publish("news/for", "4", { receiver: "work.bob" })
        expect(yield* take(bob, 4)).toEqual([
          "message ada  1",
          "broadcast ada  2",
          "publication ada news/today 3",
          "publication ada news/for 4",
        ])
      }),
    ).pipe(Effect.provide(layer)),
  )

  it.effect("says who is not there, and which name is taken", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { connect } = yield* Exchange.Exchange
        const ada = yield* connect("ada")
        expect((yield* Effect.flip(ada.send("bob", "x")))._tag).toBe("NotRegistered")
        expect((yield* Effect.flip(connect("ada")))._tag).toBe("NameTaken")
        expect((yield* Effect.flip(connect("eve%%1")))._tag).toBe("PrimaryMissing")
        expect((yield* Effect.flip(connect(".bus")))._tag).toBe("InvalidArgument")
        yield* ada.send("bob", "x", { isProcessed: false })
      }),
    ).pipe(Effect.provide(layer)),
  )

  it.effect("ends the inbox of a client that leaves, and fails that of one who does not read", () =>
    Effect.gen(function* () {
      const { connect } = yield* Exchange.Exchange
      const left = yield* Effect.scoped(connect("left"))
      expect(yield* Stream.runCollect(left.inbox)).toEqual([])
      yield* Effect.scoped(
        Effect.gen(function* () {
          const ada = yield* connect("ada")
          const slow = yield* connect("slow", { inboxFramesMax: 2 })
          yield* ada.sendAll("slow", ["1", "2"])
          expect((yield* Effect.flip(ada.send("slow", "3")))._tag).toBe("NotDelivered")
          expect((yield* Effect.flip(ada.send("slow", "4")))._tag).toBe("NotRegistered")
          expect(yield* take(slow, 2)).toEqual(["message ada  1", "message ada  2"])
          expect((yield* Effect.flip(Stream.runDrain(slow.inbox))).reason).toBe("overflow")
        }),
      )
    }).pipe(Effect.provide(layer)),
  )

  it.live("goes on at the pace of a reader, however many messages are sent at once", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { connect } = yield* Exchange.Exchange
        const ada = yield* connect("ada")
        const reader = yield* connect("reader", { inboxFramesMax: 10 })
        const payloads = Array.from({ length: 1000 }, (_, i) => `${i}`)
        const [, got] = yield* Effect.all([ada.sendAll("reader", payloads), take(reader, 1000)], { concurrency: 2 })
        expect(got).toEqual(payloads.map((payload) => `message ada  ${payload}`))
      }),
    ).pipe(Effect.provide(layer)),
  )
})
