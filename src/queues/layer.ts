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
import { queueProblem } from "../domain/QueueItem.ts"
import * as Topic from "../domain/Topic.ts"
import { LogStore, type PageLimit } from "../storage/LogStore.ts"
import { type ItemDraft, QueueStore } from "../storage/QueueStore.ts"
import { QueueWriter } from "./internal/QueueWriter.ts"
import { type EnqueueOptions, Queues } from "./Queues.ts"
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
  const taken = new Set<string>()

  const draft = Effect.fnUntraced(function* (
    queue: string,
    payload: Uint8Array | string,
    options: EnqueueOptions,
  ): Effect.fn.Return<
    { readonly item: ItemDraft; readonly bytes: number },
    InvalidArgument | NotPermitted | MessageTooLarge
  > {
    const { target, topic = queue } = options
    yield* checkQueue(queue)
    yield* check("topic", options.topic === undefined ? undefined : Topic.problem(topic))
    if (Topic.isReserved(topic)) {
      return yield* new NotPermitted({
        message: `topics that begin with "$" belong to the bus: ${JSON.stringify(topic)} cannot be enqueued`,
      })
    }
    if (target !== undefined) yield* check("target", NodeId.problem(target))
    yield* check("headers", Message.headersProblem(options.headers))
    const headers = Message.makeHeaders(options.headers)
    const content = typeof payload === "string" ? Buffer.from(payload) : payload
    const bytes = Message.contentBytes(topic, content, headers)
    if (bytes > settings.itemBytesMax) return yield* tooLarge(bytes, settings.itemBytesMax)
    const createdAt = yield* Clock.currentTimeMillis
    const item = { queue, id: randomUUID(), topic, source: node, target, createdAt, headers, payload: content }
    return { item, bytes }
  })

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
    enqueue: Effect.fnUntraced(function* (queue, payload, options = {}) {
      const { bytes, item } = yield* draft(queue, payload, options)
      const { sequence } = yield* writer.apply({ type: "enqueue", item }, bytes)
      return { ...item, sequence, attempts: 0, death: undefined }
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
