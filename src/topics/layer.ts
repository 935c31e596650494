/**
 * Topics in this process, over a storage.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { InvalidArgument, NotPermitted } from "../domain/errors.ts"
import type { LogId } from "../domain/LogId.ts"
import type { Message } from "../domain/Message.ts"
import * as NodeId from "../domain/NodeId.ts"
import * as Topic from "../domain/Topic.ts"
import { CursorStore } from "../storage/CursorStore.ts"
import type { Holders } from "../storage/Holders.ts"
import { LogStore } from "../storage/LogStore.ts"
import { readBlocks } from "../storage/parts/ReplicaBlocks.ts"
import { type DraftError, isDraftError, makeDrafter, type PendingDraft } from "./draft.ts"
import { consumers } from "./consuming.ts"
import { Journal } from "./Journal.ts"
import * as CursorKeeper from "./internal/CursorKeeper.ts"
import { checkName, hold } from "./internal/holding.ts"
import { JournalTap } from "./internal/JournalTap.ts"
import { JournalWriter } from "./internal/JournalWriter.ts"
import { LiveFeed } from "./internal/LiveFeed.ts"
import * as metrics from "./internal/metrics.ts"
import * as sharedPages from "./internal/sharedPages.ts"
import { SubscriberList } from "./internal/SubscriberList.ts"
import { subscribe } from "./internal/subscription.ts"
import { Replica } from "./Replica.ts"
import { Subscribers } from "./Subscribers.ts"
import { type HoldCursor, type PublishDraft, type PublishError, Topics } from "./Topics.ts"
import { traced } from "./tracing.ts"
import { TopicsSettings } from "./TopicsSettings.ts"

/** Messages that one fetch gives at most. */
const fetchMessagesMax = 10_000
/** … and bytes, about. */
const fetchBytesMax = 4 * 1024 * 1024

const make = Effect.gen(function* () {
  const store = yield* LogStore
  const writer = yield* JournalWriter
  const feed = yield* LiveFeed
  const settings = yield* TopicsSettings
  const services = yield* Effect.context()
  const makeDraft = makeDrafter(settings.messageBytesMax)
  const { node, incarnation } = store.info
  const subscribers = new SubscriberList(services)

  const keeper = yield* CursorKeeper.make(settings.cursorPauseMillis)
  // What nobody else writes to ends where the feed is: a subscription that starts there follows the feed.
  const end = store.info.isShared === true ? store.end : Effect.sync(() => feed.position())
  const sources = { store, feed, end, settings, services, subscribers }
  const holdCursor: HoldCursor = (name, filter, options = {}) => hold(sources, keeper, name, filter, options)

  const refuse = (error: DraftError): Effect.Effect<never, DraftError> => {
    metrics.publishesFailed(services, error._tag, 1)
    return Effect.fail(error)
  }

  const checkLog = (topic: string, origin: NodeId.NodeId = node): Effect.Effect<LogId, InvalidArgument> => {
    const wrong = Topic.problem(topic)
    if (wrong !== undefined) return Effect.fail(new InvalidArgument({ argument: "topic", message: wrong }))
    const wrongOrigin = NodeId.problem(origin)
    if (wrongOrigin !== undefined) return Effect.fail(new InvalidArgument({ argument: "origin", message: wrongOrigin }))
    return Effect.succeed({ topic, origin })
  }

  const publishAll = (drafts: ReadonlyArray<PublishDraft>, named?: (ids: ReadonlyArray<string>) => void) =>
    Effect.suspend((): Effect.Effect<ReadonlyArray<Message>, PublishError> => {
      const pending: Array<PendingDraft> = []
      for (const { topic, payload, ...options } of drafts) {
        const draft = makeDraft(topic, payload, options)
        if (isDraftError(draft)) return refuse(draft)
        pending.push(draft)
      }
      return pending.length === 0 ? Effect.succeed([]) : writer.append(pending, named)
    })

  const topics = Topics.of({
    publish: (topic, payload, options) => {
      const draft = makeDraft(topic, payload, options)
      return isDraftError(draft) ? refuse(draft) : writer.appendOne(draft)
    },

    publishAll: (drafts) => publishAll(drafts),

    fetch: Effect.fn("Topics.fetch")(function* (topic, options) {
      const log = yield* checkLog(topic, options?.origin)
      const from = yield* checkWhole("from", options?.from ?? 1)
      const limit = yield* checkWhole("limit", options?.limit ?? 100)
      return yield* store.readLog(log, from, { rows: Math.min(limit, fetchMessagesMax), bytes: fetchBytesMax })
    }),

    head: Effect.fn("Topics.head")(function* (topic, origin) {
      return yield* store.head(yield* checkLog(topic, origin))
    }),

    heads: store.heads,

    deleteRange: Effect.fn("Topics.deleteRange")(function* (topic, from, to) {
      const log = yield* checkLog(topic)
      if (Topic.isReserved(topic)) {
        return yield* new NotPermitted({
          message: `topics that begin with "$" belong to the bus: nothing can be deleted from ${JSON.stringify(topic)}`,
        })
      }
      yield* checkWhole("from", from)
      yield* checkWhole("to", to)
      if (from > to) {
        return yield* new InvalidArgument({
          argument: "from",
          message: `a range goes from its first offset to its last, not from ${from} to ${to}`,
        })
      }
      const { deleted } = yield* writer.tombstone({ log, from, to }, true)
      return deleted
    }),

    subscribe: (filter, options = {}) => subscribe(sources, filter, options),

    ...consumers(holdCursor),

    holdCursor,

    cursors: Effect.gen(function* () {
      const cursors = yield* keeper.cursors
      const reached = yield* end
      return cursors.map(({ epoch: _, ...cursor }) => ({ ...cursor, lag: Math.max(0, reached - cursor.position) }))
    }),

    resetCursor: Effect.fn("Topics.resetCursor")(function* (name, to) {
      yield* checkName(name)
      const last = yield* end
      const position = to === "start" ? 0 : to === "end" ? last : to
      if (!Number.isSafeInteger(position) || position < 0 || position > last) {
        return yield* new InvalidArgument({
          argument: "to",
          message: `a cursor is put to a position from 0 to the journal's end, which is ${last}, not to ${position}`,
        })
      }
      yield* keeper.reset(name, position)
    }),

    deleteCursor: Effect.fn("Topics.deleteCursor")(function* (name) {
      yield* checkName(name)
      yield* keeper.delete(name)
    }),

    cursor: Effect.map(end, (position) => ({ incarnation, position })),

    info: Effect.succeed({ node, incarnation }),

    check: store.check,
  })
  const journal = Journal.of({
    deposit: (topic, payload, depositor) => {
      const draft = makeDraft(topic, payload, undefined)
      if (!isDraftError(draft)) return writer.deposit(draft, depositor)
      metrics.publishesFailed(services, draft._tag, 1)
      depositor.failed(draft)
    },

    publishAll: (drafts, named) => publishAll(drafts, named),

    follow: Effect.fnUntraced(function* (follower) {
      const within = yield* Effect.context<Scope.Scope>()
      const tap = new JournalTap(store, settings, follower, feed.position(), within)
      const changed = yield* feed.tap(tap)
      return {
        changed: () => {
          tap.changed()
          changed()
        },
        position: () => tap.position,
      }
    }),
  })
  const replica = Replica.of({
    node,
    incarnation,
    heads: store.heads,
    head: (log) =>
      Effect.map(
        store.head(log),
        Option.getOrElse(() => 0),
      ),
    read: (log, from, rows) => store.readLog(log, from, { rows, bytes: fetchBytesMax }),
    readBlocks: (log, from, rows) => readBlocks(store, log, from, { rows, bytes: fetchBytesMax }),
    accept: (log, messages) => writer.accept(log, messages),
    acceptBlocks: (log, from, blocks) => writer.acceptBlocks(log, from, blocks),
    deleteRange: (log, from, to) => Effect.asVoid(writer.tombstone({ log, from, to }, false)),
    discard: (log, from) => Effect.asVoid(writer.discard(log, from)),
  })
  return Context.make(Topics, traced(topics, services)).pipe(
    Context.add(Journal, journal),
    Context.add(Replica, replica),
    Context.add(Subscribers, { list: () => subscribers.list() }),
  )
})

const checkWhole = (argument: string, value: number): Effect.Effect<number, InvalidArgument> =>
  Number.isSafeInteger(value) && value >= 1
    ? Effect.succeed(value)
    : Effect.fail(new InvalidArgument({ argument, message: `${argument} is a whole number from 1 on, not ${value}` }))

/** Topics over the live feed and the writer that are given: what `layer` is made of, open to replacement in tests. */
export const layerOver: Layer.Layer<
  Topics | Journal | Replica | Subscribers,
  never,
  LogStore | CursorStore | Holders | JournalWriter | LiveFeed
> = Layer.effectContext(make)

/**
 * Topics over a storage. What was published before the scope closes is committed and answered; then subscriptions and
 * consumers end with `Unavailable`.
 */
export const layer = layerOver.pipe(
  Layer.provide(JournalWriter.layer),
  Layer.provide(LiveFeed.layer),
  Layer.provide(sharedPages.layer),
)
