// A test file: the ordering laws, run by vitest against layers of the app's own.
import { expect, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { Exchange, Queues, Topics } from "millrace"
import { layer as layerMemoryStore } from "millrace/memory"
import { ExchangeLaws, Laws, layerMemory, QueueLaws } from "millrace/testing"

// #region decorator
const published = Metric.counter("app_published")

/** Topics that count what is published. */
const CountingTopics = Layer.effect(
  Topics.Topics,
  Effect.map(Topics.Topics, (topics) =>
    Topics.Topics.of({
      ...topics,
      publish: (topic, payload, options) =>
        Effect.tap(topics.publish(topic, payload, options), () => Metric.update(published, 1)),
    }),
  ),
)
// #endregion

// #region law
it.live("keeps every log in order, for every subscriber", () =>
  Laws.ordering(() => ({ layer: CountingTopics.pipe(Layer.provide(layerMemory())) })),
)
// #endregion

// #region broken
/** Publishes again after any success, as a retry without a key does whose first answer was lost. */
const RepeatingTopics = Layer.effect(
  Topics.Topics,
  Effect.map(Topics.Topics, (topics) =>
    Topics.Topics.of({
      ...topics,
      publish: (topic, payload, options) => {
        const attempt = topics.publish(topic, payload, options)
        return Effect.andThen(attempt, attempt)
      },
    }),
  ),
)

it.live("finds a publish that is stored twice", () =>
  Effect.gen(function* () {
    const world = () => ({ layer: RepeatingTopics.pipe(Layer.provide(layerMemory())) })
    const broken = yield* Effect.flip(Laws.ordering(world, { seed: 1 }))
    expect(broken.message).toContain("duplicate")
  }),
)
// #endregion

// #region exchange
it.live("routes everything to whom it is for, once and in order", () =>
  ExchangeLaws.routing(() => ({ layer: Exchange.layer.pipe(Layer.provide(Exchange.Router.layer())) })),
)
// #endregion

// #region queues
it.live("keeps every queue in order, and loses nothing of it", () =>
  QueueLaws.fifo(() => ({ layer: Queues.layer.pipe(Layer.provide(layerMemoryStore())) })),
)
// #endregion
