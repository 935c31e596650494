import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Metric, Stream } from "effect"
import { layer as memory } from "../../src/storage/memory/index.ts"
import { SubscriberList } from "../../src/topics/internal/SubscriberList.ts"
import * as Topics from "../../src/topics/index.ts"

const series = (services: Context.Context<never>, name: string) =>
  Metric.snapshotUnsafe(services).filter(({ id }) => id === name)

describe("a subscription's lag", () => {
  it.live("is what is left of the journal for it, and nothing where it follows", () =>
    Effect.gen(function* () {
      const topics = yield* Topics.Topics
      const { list } = yield* Topics.Subscribers
      yield* topics.publishAll([1, 2, 3].map((i) => ({ topic: "a", payload: `${i}` })))
      const [begun, go, isLive] = yield* Effect.all([
        Deferred.make<void>(),
        Deferred.make<void>(),
        Deferred.make<void>(),
      ])
      const reading = yield* topics
        .subscribe("a", { from: "start", onLive: Effect.asVoid(Deferred.succeed(isLive, undefined)) })
        .pipe(
          Stream.runForEach(() => Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(go))),
          Effect.forkScoped,
        )
      yield* Deferred.await(begun)
      expect(list()).toEqual([{ filter: "a", origin: undefined, lag: 0, isLive: true }])
      yield* topics.publishAll([4, 5].map((i) => ({ topic: "a", payload: `${i}` })))
      yield* topics.publish("b", "not for it, and behind it")
      yield* topics.publish("a", "6")
      expect(list()).toEqual([{ filter: "a", origin: undefined, lag: 4, isLive: false }])
      yield* Deferred.succeed(go, undefined)
      yield* Deferred.await(isLive)
      while (list()[0]?.isLive === false) yield* Effect.yieldNow
      expect(list()).toEqual([{ filter: "a", origin: undefined, lag: 0, isLive: true }])
      yield* topics.publish("b", "not for it: it is not behind")
      expect(list()[0]).toMatchObject({ lag: 0, isLive: true })
      yield* Fiber.interrupt(reading)
      expect(list()).toEqual([])
    }).pipe(Effect.scoped, Effect.provide(Topics.layer.pipe(Layer.provide(memory())))),
  )
})

describe("the metrics of subscriptions", () => {
  it("have a bounded number of series, whatever there is to follow", () => {
    const services = Context.make(Metric.MetricRegistry, new Map())
    const subscribers = new SubscriberList(services)
    const removals = Array.from({ length: 200 }, (_, i) =>
      subscribers.add(`f/${i}`, () => ({ filter: `f/${i}`, origin: undefined, lag: i, isLive: false })),
    )
    const lags = series(services, "millrace_subscription_lag_messages")
    expect(lags).toHaveLength(51)
    expect(lags.find(({ attributes }) => attributes?.["filter"] === "(others)")?.state).toEqual({ value: 199 })
    expect(series(services, "millrace_subscriptions")[0]?.state).toEqual({ value: 200 })
    expect(subscribers.list().map(({ lag }) => lag)).toEqual(Array.from({ length: 200 }, (_, i) => 199 - i))
    for (const remove of removals) remove()
    expect(series(services, "millrace_subscription_lag_messages")).toEqual([])
    expect(series(services, "millrace_subscriptions")[0]?.state).toEqual({ value: 0 })
  })
})
