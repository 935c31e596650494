/**
 * Queues in this process, over a storage.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { InvalidArgument, QueueTaken, type StorageFailed } from "../domain/errors.ts"
import { nameProblem } from "../domain/Name.ts"
import { format } from "../domain/NodeId.ts"
import { deadQueueOf, queueProblem } from "../domain/QueueItem.ts"
import { Holders, isHold } from "../storage/Holders.ts"
import type { LogStore } from "../storage/LogStore.ts"
import { itemsOf } from "../storage/parts/queuePage.ts"
import { QueueStore } from "../storage/QueueStore.ts"
import { isDraftError, makeDrafter } from "./draft.ts"
import * as metrics from "./internal/metrics.ts"
import { QueueWriter } from "./internal/QueueWriter.ts"
import { Queues } from "./Queues.ts"
import { QueuesSettings } from "./QueuesSettings.ts"
import { take, type TakeSources } from "./taking.ts"
import { traced } from "./tracing.ts"

/** Items that one call gives at most. */
const itemsMax = 10_000
/** … and bytes, about. */
const itemsBytesMax = 4 * 1024 * 1024
/** Items that one commit redrives at most. */
const redriveMax = 1000
/** The longest id that is looked for, in bytes of UTF-8. */
const idBytesMax = 1024

const check = (argument: string, wrong: string | undefined): Effect.Effect<void, InvalidArgument> =>
  wrong === undefined ? Effect.void : Effect.fail(new InvalidArgument({ argument, message: wrong }))

const checkQueue = (queue: string) => check("queue", queueProblem(queue))
const checkId = (id: string) => check("id", nameProblem("message id", id, idBytesMax))

const checkWhole = (argument: string, value: number, min: number) =>
  check(
    argument,
    Number.isSafeInteger(value) && value >= min
      ? undefined
      : `${argument} is a whole number from ${min} on, not ${value}`,
  )

const make = Effect.gen(function* () {
  const store = yield* QueueStore
  const writer = yield* QueueWriter
  const settings = yield* QueuesSettings
  const holders = yield* Holders
  const taken = new Set<string>()
  yield* metrics.watchTakers(yield* Effect.context<never>(), () => taken.size)

  const makeDraft = makeDrafter(settings.itemBytesMax)

  /** Items after a sequence. */
  const read: TakeSources["read"] = (queue, after, limit) =>
    Effect.map(store.page(queue, after, limit), (page) => itemsOf(queue, page, after, limit))

  const reject: Queues["Service"]["reject"] = Effect.fnUntraced(function* (queue, id, options = {}) {
    const { attemptsMax, reason } = options
    yield* checkQueue(queue)
    yield* checkId(id)
    if (attemptsMax !== undefined) yield* checkWhole("attemptsMax", attemptsMax, 1)
    const at = yield* Clock.currentTimeMillis
    const { accepted, attempts, isDead } = yield* writer.apply({ type: "reject", queue, id, reason, at, attemptsMax })
    return { accepted, attempts, isDead }
  })

  return Queues.of({
    enqueue: (queue, payload, options) => {
      const draft = makeDraft(queue, payload, options)
      return isDraftError(draft) ? Effect.fail(draft) : writer.enqueue(draft)
    },

    peek: Effect.fnUntraced(function* (queue) {
      yield* checkQueue(queue)
      const [item] = yield* read(queue, 0, { rows: 1, bytes: 1 })
      return Option.fromNullishOr(item)
    }),

    items: Effect.fnUntraced(function* (queue, options = {}) {
      const { after = 0, limit = 100 } = options
      yield* checkQueue(queue)
      yield* checkWhole("after", after, 0)
      yield* checkWhole("limit", limit, 1)
      return yield* read(queue, after, { rows: Math.min(limit, itemsMax), bytes: itemsBytesMax })
    }),

    ack: Effect.fnUntraced(function* (queue, id) {
      yield* checkQueue(queue)
      yield* checkId(id)
      return (yield* writer.apply({ type: "ack", queue, id })).accepted
    }),

    reject,

    redrive: Effect.fnUntraced(function* (queue, max = Number.MAX_SAFE_INTEGER) {
      yield* checkQueue(queue)
      yield* checkWhole("itemsMax", max, 1)
      const dead = deadQueueOf(queue)
      // What dies meanwhile is not taken along: it might die again and again.
      const { lastSequence } = yield* store.page(dead, 0, { rows: 1, bytes: 1 })
      let moved = 0
      while (moved < max) {
        // They are in memory on their way: as many as are on one page at a time.
        const page = yield* read(dead, 0, { rows: redriveMax, bytes: itemsBytesMax })
        const items = page.filter(({ sequence }) => sequence <= lastSequence).length
        if (items === 0) break
        const itemsMax = Math.min(max - moved, items)
        moved += (yield* writer.apply({ type: "redrive", queue, itemsMax })).moved
      }
      return moved
    }),

    take: (queue, handler, options = {}) =>
      Effect.gen(function* () {
        yield* checkQueue(queue)
        if (options.attemptsMax !== undefined) yield* checkWhole("attemptsMax", options.attemptsMax, 1)
        return yield* Effect.acquireUseRelease(
          hold(taken, queue),
          () =>
            whileHeld(
              holders,
              queue,
              options.onTaken,
              take({ writer, pollMillis: settings.pollMillis, read, reject }, queue, handler, options),
            ),
          () => Effect.sync(() => taken.delete(queue)),
        )
      }),

    queues: store.queues,
  })
})

const takenBy = (queue: string, whom: string): QueueTaken =>
  new QueueTaken({ queue, message: `the queue ${JSON.stringify(queue)} is taken by somebody else${whom}` })

/** Takes a queue within this node. */
const hold = (taken: Set<string>, queue: string): Effect.Effect<void, QueueTaken> =>
  Effect.suspend(() => {
    if (taken.has(queue)) return takenBy(queue, "")
    taken.add(queue)
    return Effect.void
  })

/** Takes a queue that is held among all nodes, and anew where the hold was lost: what was under way is as it was then. */
const whileHeld = <E, R>(
  holders: Holders["Service"],
  queue: string,
  onTaken: Effect.Effect<void> = Effect.void,
  taking: Effect.Effect<never, E, R>,
): Effect.Effect<never, E | QueueTaken | StorageFailed, R> =>
  Effect.suspend(() => {
    let toldTaken = false
    const once = Effect.gen(function* () {
      const held = yield* holders.hold({ kind: "queue", name: queue }, false)
      if (!isHold(held)) return yield* takenBy(queue, `, through node ${format(held)}`)
      if (!toldTaken) yield* onTaken
      toldTaken = true
      const why = yield* Effect.raceFirst(taking, held.lost)
      yield* Effect.logWarning(`the queue ${JSON.stringify(queue)} is to be taken anew: ${why}`)
    })
    return Effect.forever(Effect.scoped(once))
  })

/** Queues over a storage. What was asked for before the scope closes is committed and answered. */
export const layer: Layer.Layer<Queues, never, LogStore | QueueStore | Holders> = Layer.effect(
  Queues,
  Effect.flatMap(make, (queues) => Effect.map(Effect.context<never>(), (services) => traced(queues, services))),
).pipe(Layer.provide(QueueWriter.layer))
