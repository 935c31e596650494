/**
 * Takers at several nodes that compete for one queue, and leave it after a while, each in its own way.
 */
import { Context, Deferred, Effect, Fiber, Layer } from "effect"
import type { QueueItem } from "../../src/domain/QueueItem.ts"
import { defaultQueuesSettings, layer, Queues, QueuesSettings } from "../../src/queues/index.ts"
import type { StoreServices } from "../../src/storage/Stores.ts"

export type Stores = Layer.Layer<StoreServices, unknown>

/** Polling makes no test pass that should be woken, unless it says so. */
const pollMillisDefault = 60_000

export const queuesOver = (stores: Stores, pollMillis = pollMillisDefault) =>
  layer.pipe(
    Layer.provide(stores),
    Layer.provide(Layer.succeed(QueuesSettings, { ...defaultQueuesSettings, pollMillis })),
  )

/** Builds queues, and gives them until the scope closes. */
export const build = (stores: Stores, pollMillis?: number) =>
  Effect.map(Layer.build(Layer.fresh(queuesOver(stores, pollMillis))), Context.get(Queues))

const items = 60

/** The sequences of all items. */
export const inOrder = Array.from({ length: items }, (_, i) => i + 1)

/**
 * Runs the takers until all items are done; gives in which order items were handed out, and in which they were done.
 *
 * @param disturb done meanwhile, and given how to wait until so many items are done; then all are enqueued before
 */
export const compete = Effect.fnUntraced(function* (
  random: () => number,
  stores: ReadonlyArray<Stores>,
  disturb?: (until: (items: number) => Effect.Effect<void>) => Effect.Effect<void>,
) {
  const nodes = yield* Effect.forEach(stores, (each) => build(each, 2))
  const handed: Array<number> = []
  const done: Array<number> = []
  const all = yield* Deferred.make<void>()
  const step = Effect.suspend(() => (random() < 0.3 ? Effect.sleep(random()) : Effect.yieldNow))

  const taker = Effect.fnUntraced(function* (queues: Queues["Service"]) {
    const patience = Math.floor(random() * 12)
    const isLeaving = yield* Deferred.make<void>()
    let mine = 0
    const handle = Effect.fnUntraced(function* (item: QueueItem) {
      handed.push(item.sequence)
      yield* step
      if (mine++ >= patience) {
        // It goes in the middle of an item, which stays.
        yield* Deferred.succeed(isLeaving, undefined)
        return yield* Effect.never
      }
      done.push(item.sequence)
      if (new Set(done).size === items) yield* Deferred.succeed(all, undefined)
    })
    yield* Effect.raceFirst(queues.take("work", handle), Deferred.await(isLeaving)).pipe(
      // It is somebody else's turn, or the store is away.
      Effect.catch(() => step),
    )
  })
  const takers = nodes.map((queues) => Effect.forever(Effect.andThen(taker(queues), step)))
  const enqueuing = Effect.forEach(
    inOrder,
    () => Effect.andThen(nodes[Math.floor(random() * nodes.length)]!.enqueue("work", "item"), step),
    { discard: true },
  )
  if (disturb !== undefined) yield* enqueuing
  const fibers = yield* Effect.forEach(takers, (each) => Effect.forkChild(each))
  const until = (count: number) =>
    Effect.asVoid(Effect.repeat(Effect.sleep(1), { until: () => new Set(done).size >= count }))
  yield* disturb === undefined ? enqueuing : disturb(until)
  yield* Effect.timeoutOption(Deferred.await(all), "20 seconds")
  yield* Fiber.interruptAll(fibers)
  return { handed, done }
}, Effect.scoped)
