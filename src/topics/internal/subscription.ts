/**
 * A subscription as a Stream: replay from storage, then live from the feed, and back where it falls behind. What to
 * give out when is `handover`'s to say; here is where it comes from.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Cursor from "../../domain/Cursor.ts"
import { CursorInvalid, InvalidArgument, type StorageFailed, Unavailable } from "../../domain/errors.ts"
import { type Message, notBelow } from "../../domain/Message.ts"
import * as NodeId from "../../domain/NodeId.ts"
import * as TopicFilter from "../../domain/TopicFilter.ts"
import type { JournalFilter, JournalPage, LogStore } from "../../storage/LogStore.ts"
import type { SubscribeError, SubscribeOptions } from "../Topics.ts"
import type { TopicsSettings } from "../TopicsSettings.ts"
import { type Handover, isReplaying, onBatches, onPage } from "./handover.ts"
import type { FeedSubscription, LiveFeed } from "./LiveFeed.ts"
import * as metrics from "./metrics.ts"
import type { Progress } from "./Progress.ts"
import type { SubscriberList } from "./SubscriberList.ts"

/** What subscriptions are made of. */
export interface Sources {
  readonly store: LogStore["Service"]
  readonly feed: LiveFeed["Service"]
  /** The journal's end now, whoever writes it: all that was acknowledged before lies up to there. */
  readonly end: Effect.Effect<number, StorageFailed>
  readonly settings: TopicsSettings
  readonly services: Context.Context<never>
  readonly subscribers: SubscriberList
}

/** Where a subscription begins: after a position, and not below an offset. */
interface Start {
  readonly after: number
  readonly offsetMin: number
}

/** See `Topics.subscribe`. Where there is a `progress`, it is told of all that is given out. */
export const subscribe = (
  sources: Sources,
  topics: string,
  options: SubscribeOptions,
  progress?: Progress,
): Stream.Stream<Message, SubscribeError> =>
  Effect.gen(function* () {
    // An offset is a place in one log: without an origin it is this node's.
    const ownLog = typeof options.from === "number" ? sources.store.info.node : undefined
    const filter = yield* checkFilter(topics, options.origin ?? ownLog)
    // The feed first: whatever is committed from here on is in it, and whatever came before is in storage.
    const live = yield* sources.feed.subscribe(filter)
    // What other nodes have written may be ahead of the feed.
    const end = Math.max(live.position, yield* sources.end)
    const start = yield* startOf(sources, filter, options.from ?? "end", end)
    return Stream.fromPull(makePull(sources, filter, live, start, end, options, progress))
  }).pipe(Stream.unwrap, Stream.scoped)

export const checkFilter = (
  topics: string,
  origin: NodeId.NodeId | undefined,
): Effect.Effect<JournalFilter, InvalidArgument> => {
  const wrong = TopicFilter.problem(topics)
  if (wrong !== undefined) return Effect.fail(new InvalidArgument({ argument: "topic", message: wrong }))
  const wrongOrigin = origin === undefined ? undefined : NodeId.problem(origin)
  if (wrongOrigin !== undefined) return Effect.fail(new InvalidArgument({ argument: "origin", message: wrongOrigin }))
  return Effect.succeed({ topics, origin })
}

const startOf = Effect.fnUntraced(function* (
  sources: Sources,
  filter: JournalFilter,
  from: NonNullable<SubscribeOptions["from"]>,
  end: number,
): Effect.fn.Return<Start, InvalidArgument | CursorInvalid | StorageFailed> {
  if (from === "end") return { after: end, offsetMin: 1 }
  if (from === "start") return { after: 0, offsetMin: 1 }
  if (typeof from === "number") return yield* startOfOffset(sources, filter, from, end)
  return { after: yield* checkCursor(sources, from), offsetMin: 1 }
})

/** The position of a cursor, if it is one of this store. */
export const checkCursor = Effect.fnUntraced(function* (
  sources: Sources,
  from: Cursor.Cursor,
): Effect.fn.Return<number, CursorInvalid | StorageFailed> {
  const { incarnation } = sources.store.info
  if (from.incarnation !== incarnation) {
    return yield* new CursorInvalid({
      message: `the cursor ${Cursor.format(from)} belongs to another store than this one (${incarnation})`,
    })
  }
  const end = yield* sources.store.end
  if (!Number.isSafeInteger(from.position) || from.position < 0 || from.position > end) {
    return yield* new CursorInvalid({
      message: `the cursor ${Cursor.format(from)} is beyond the end of this store, which is at ${end}`,
    })
  }
  return from.position
})

const startOfOffset = Effect.fnUntraced(function* (
  sources: Sources,
  filter: JournalFilter,
  offset: number,
  end: number,
): Effect.fn.Return<Start, InvalidArgument | StorageFailed> {
  if (!Number.isSafeInteger(offset) || offset < 1) {
    return yield* new InvalidArgument({
      argument: "from",
      message: `an offset is a whole number from 1 on, not ${offset}`,
    })
  }
  if (filter.origin === undefined || TopicFilter.hasWildcard(filter.topics)) {
    return yield* new InvalidArgument({
      argument: "from",
      message: `an offset is a place in one log: it goes with one topic, not with the filter ${JSON.stringify(filter.topics)}`,
    })
  }
  const log = { topic: filter.topics, origin: filter.origin }
  const [first] = yield* sources.store.readLog(log, offset, { rows: 1, bytes: 1 })
  return first === undefined ? { after: end, offsetMin: offset } : { after: first.position - 1, offsetMin: offset }
})

type Pull = Effect.Effect<readonly [Message, ...Array<Message>], SubscribeError | Cause.Done>

const isNonEmpty = (messages: ReadonlyArray<Message>): messages is readonly [Message, ...Array<Message>] =>
  messages.length > 0

const makePull = Effect.fnUntraced(function* (
  sources: Sources,
  filter: JournalFilter,
  live: FeedSubscription,
  start: Start,
  end: number,
  { areLent = false, onLive }: SubscribeOptions,
  progress: Progress | undefined,
): Effect.fn.Return<Pull, never, Scope.Scope> {
  const { store, settings } = sources
  const scope = yield* Effect.scope
  const state: Handover = { position: start.after, target: end, nextSeq: live.nextSeq }
  const { offsetMin } = start
  let ahead: Fiber.Fiber<JournalPage, StorageFailed> | undefined
  let toldLive = false
  let isWaiting = false
  /** Sets free what was lent with the last chunk. */
  let release: (() => void) | undefined
  if (progress !== undefined) {
    const idle = () => (isWaiting && !live.isBehind(state.nextSeq) ? sources.feed.position() : undefined)
    progress.idle = idle
    // From then on nothing is given out any more, whatever the feed gets.
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        const reached = idle()
        progress.idle = () => undefined
        if (reached !== undefined) progress.give(reached, undefined)
      }),
    )
  }

  yield* Effect.acquireRelease(
    Effect.sync(() =>
      sources.subscribers.add(filter.topics, () => {
        const isLive = !isReplaying(state) && !live.isBehind(state.nextSeq)
        const reached = isLive ? sources.feed.position() : state.position
        const lag = Math.max(0, sources.feed.end() - reached)
        return { filter: filter.topics, origin: filter.origin, lag, isLive }
      }),
    ),
    (remove) => Effect.sync(remove),
  )

  const readPage = (after: number): Effect.Effect<JournalPage, StorageFailed> =>
    store.readJournal(after, filter, { rows: settings.pageMessagesMax, bytes: settings.pageBytesMax })

  /** The next page, and the one after it already on its way, so that storage and subscriber work side by side. */
  const replay = Effect.fnUntraced(function* () {
    const page = yield* ahead === undefined ? readPage(state.position) : Fiber.join(ahead)
    ahead = undefined
    const messages = onPage(state, page)
    if (areLent) ({ release } = page)
    if (isReplaying(state)) ahead = yield* Effect.forkIn(readPage(state.position), scope)
    return messages
  })

  const follow = Effect.fnUntraced(function* () {
    if (!toldLive) {
      toldLive = true
      if (onLive !== undefined) yield* onLive
    }
    isWaiting = true
    const batches = yield* live.take
    isWaiting = false
    if (batches.length === 0) return yield* new Unavailable({ message: "the node is closing" })
    const { messages, jumped } = onBatches(state, batches)
    if (jumped) metrics.jumped(sources.services)
    return messages
  })

  return Effect.gen(function* () {
    while (true) {
      release?.()
      release = undefined
      const came = yield* isReplaying(state) ? replay() : follow()
      const messages = notBelow(came, offsetMin)
      if (isNonEmpty(messages)) {
        progress?.give(state.position, messages[messages.length - 1]!.position)
        return messages
      }
      progress?.give(state.position, undefined)
    }
  })
})
