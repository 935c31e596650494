import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Schema, Stream } from "effect"
import * as Memory from "../../src/storage/memory/index.ts"
import { layer, Topics, TypedTopic } from "../../src/topics/index.ts"

const topicsLayer = layer.pipe(Layer.provide(Memory.layer()))

const Order = Schema.Struct({ id: Schema.Int, placed: Schema.Date, note: Schema.optionalKey(Schema.String) })
const orders = TypedTopic.make("orders/placed", Order)
const order = (id: number) => ({ id, placed: new Date("2026-01-02T03:04:05Z") })

describe("a typed topic", () => {
  it.effect("gives back the values that were published", () =>
    Effect.gen(function* () {
      const stored = yield* orders.publish(order(1), { headers: { h: "1" } })
      yield* orders.publishAll([order(2), order(3)])
      expect(JSON.parse(Buffer.from(stored.payload).toString())).toEqual({ id: 1, placed: "2026-01-02T03:04:05.000Z" })
      const received = yield* orders.subscribe({ from: "start" }).pipe(Stream.take(3), Stream.runCollect)
      expect(received.map((one) => (one._tag === "Decoded" ? one.value : one._tag))).toEqual([1, 2, 3].map(order))
    }).pipe(Effect.provide(topicsLayer)),
  )

  it.effect("hands over what does not decode, and goes on", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      for (const payload of ["not JSON", '{"id":"one"}', new Uint8Array([0xff, 0xfe])]) {
        yield* topics.publish(orders.topic, payload)
      }
      yield* orders.publish(order(4))
      const received = yield* orders.subscribe({ from: "start" }).pipe(Stream.take(4), Stream.runCollect)
      expect(received.map((one) => one._tag)).toEqual(["Undecodable", "Undecodable", "Undecodable", "Decoded"])
      const [first] = received
      expect(first?._tag === "Undecodable" && first.error.message).toBeTruthy()
      expect(first?.message.offset).toBe(1)
    }).pipe(Effect.provide(topicsLayer)),
  )

  it.effect("skips tombstones unless asked for them", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      yield* orders.publishAll([order(1), order(2)])
      yield* topics.deleteRange(orders.topic, 1, 1)
      const tags = (tombstones: boolean, count: number) =>
        orders.subscribe({ from: "start", tombstones }).pipe(
          Stream.take(count),
          Stream.map((one) => one._tag),
          Stream.runCollect,
        )
      expect(yield* tags(false, 1)).toEqual(["Decoded"])
      expect(yield* tags(true, 2)).toEqual(["Deleted", "Decoded"])
    }).pipe(Effect.provide(topicsLayer)),
  )

  it.effect("refuses a value that does not encode, and stores nothing", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      const error = yield* Effect.flip(orders.publish({ ...order(1), id: 1.5 }))
      expect(error).toMatchObject({ _tag: "InvalidArgument", argument: "value" })
      expect(yield* topics.heads).toEqual([])
    }).pipe(Effect.provide(topicsLayer)),
  )
})
