/**
 * Queues in this process, over a storage.
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { InvalidArgument, MessageTooLarge, NotPermitted, QueueTaken } from "../domain/errors.ts"
import * as Message from "../domain/Message.ts"
import { nameProblem } from "../domain/Name.ts"
import * as NodeId from "../domain/NodeId.ts"
import { type QueueItem, queueProblem } from "../domain/QueueItem.ts"
import * as Topic from "../domain/Topic.ts"
import { LogStore, type PageLimit } from "../storage/LogStore.ts"
import { type ItemDraft, QueueStore } from "../storage/QueueStore.ts"
import { QueueWriter } from "./internal/QueueWriter.ts"
import { type EnqueueError, type EnqueueOptions, Queues } from "./Queues.ts"
import { QueuesSettings } from "./QueuesSettings.ts"
import { take } from "./taking.ts"

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
  const { node } = (yield* LogStore).info
  const writer = yield* QueueWriter
  const settings = yield* QueuesSettings
  const clock = yield* Clock.Clock
  const taken = new Set<string>()

  /** An item to be, with its size in bytes, or what is wrong with it. Plain code, because it runs for every item. */
  const draft = (
    queue: string,
    payload: Uint8Array | string,
    { headers, target, topic }: EnqueueOptions,
    createdAt: number,
  ): { readonly item: ItemDraft; readonly bytes: number } | InvalidArgument | NotPermitted | MessageTooLarge => {
    const invalid = draftProblem(queue, { headers, target, topic })
    if (invalid !== undefined) return invalid
    const about = topic ?? queue
    if (Topic.isReserved(about)) {
      return new NotPermitted({
        message: `topics that begin with "$" belong to the bus: ${JSON.stringify(about)} cannot be enqueued`,
      })
    }
    const content = typeof payload === "string" ? Buffer.from(payload) : payload
    const plain = Message.makeHeaders(headers)
    const bytes = Message.contentBytes(about, content, plain)
    if (bytes > settings.itemBytesMax) return tooLarge(bytes, settings.itemBytesMax)
    const id = randomUUID()
    return {
      item: { queue, id, topic: about, source: node, target, createdAt, headers: plain, payload: content },
      bytes,
    }
  }

  const front = (queue: string, limit: PageLimit) => store.items(queue, 0, limit)

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
    enqueue: (queue, payload, options = {}) =>
      Effect.suspend((): Effect.Effect<QueueItem, EnqueueError> => {
        const drafted = draft(queue, payload, options, clock.currentTimeMillisUnsafe())
        if ("_tag" in drafted) return Effect.fail(drafted)
        const { bytes, item } = drafted
        return Effect.map(writer.apply({ type: "enqueue", item }, bytes), ({ sequence }) => ({
          ...item,
          sequence,
          attempts: 0,
          death: undefined,
        }))
      }),

    peek: Effect.fnUntraced(function* (queue) {
      yield* checkQueue(queue)
      const [item] = yield* front(queue, { rows: 1, bytes: itemsBytesMax })
      return Option.fromNullishOr(item)
    }),

    items: Effect.fnUntraced(function* (queue, options = {}) {
      const { after = 0, limit = 100 } = options
      yield* checkQueue(queue)
      yield* checkWhole("after", after, 0)
      yield* checkWhole("limit", limit, 1)
      return yield* store.items(queue, after, { rows: Math.min(limit, itemsMax), bytes: itemsBytesMax })
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
      let moved = 0
      while (moved < max) {
        const wanted = Math.min(max - moved, redriveMax)
        const result = yield* writer.apply({ type: "redrive", queue, itemsMax: wanted })
        moved += result.moved
        if (result.moved < wanted) break
      }
      return moved
    }),

    take: (queue, handler, options = {}) =>
      Effect.gen(function* () {
        yield* checkQueue(queue)
        if (options.attemptsMax !== undefined) yield* checkWhole("attemptsMax", options.attemptsMax, 1)
        return yield* Effect.acquireUseRelease(
          hold(taken, queue),
          () => take({ writer, pollMillis: settings.pollMillis, front, reject }, queue, handler, options),
          () => Effect.sync(() => taken.delete(queue)),
        )
      }),

    queues: store.queues,
  })
})

const draftProblem = (queue: string, { headers, target, topic }: EnqueueOptions): InvalidArgument | undefined => {
  const problems = {
    queue: queueProblem(queue),
    topic: topic === undefined ? undefined : Topic.problem(topic),
    target: target === undefined ? undefined : NodeId.problem(target),
    headers: Message.headersProblem(headers),
  }
  for (const [argument, message] of Object.entries(problems)) {
    if (message !== undefined) return new InvalidArgument({ argument, message })
  }
  return undefined
}

const hold = (taken: Set<string>, queue: string): Effect.Effect<void, QueueTaken> =>
  Effect.suspend(() => {
    if (taken.has(queue)) {
      return new QueueTaken({ queue, message: `the queue ${JSON.stringify(queue)} is taken by somebody else` })
    }
    taken.add(queue)
    return Effect.void
  })

const tooLarge = (bytes: number, bytesMax: number): MessageTooLarge =>
  new MessageTooLarge({
    bytes,
    bytesMax,
    message: `an item of ${bytes.toLocaleString("en")} bytes is larger than this node takes, which is ${bytesMax.toLocaleString("en")} bytes`,
  })

/** Queues over a storage. What was asked for before the scope closes is committed and answered. */
export const layer: Layer.Layer<Queues, never, LogStore | QueueStore> = Layer.effect(Queues, make).pipe(
  Layer.provide(QueueWriter.layer),
)
