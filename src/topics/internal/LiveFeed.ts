/**
 * The live side of subscriptions: committed messages, in journal order, to whoever follows.
 *
 *     journal writer ──offer──▶ feed of filter A ──PubSub──▶ its subscribers
 *                          └──▶ feed of filter B ──PubSub──▶ its subscribers
 *
 * Where other nodes write to the same journal, a `JournalFollower` stands before the feeds.
 *
 * There is one feed for each filter, shared by all its subscribers, so a commit is matched once per filter. Nothing
 * here waits for a subscriber. What it does not read in time it loses in two ways, and notices in both:
 *
 * - The PubSub is sliding: beyond `feedBatchesMax` batches the oldest goes, and the next one's `seq` shows a jump.
 * - All feeds share one budget of bytes: beyond `feedBytesMax` the oldest batches lose their messages and become mere
 *   jump marks.
 *
 * A subscriber that notices goes back to storage (see `handover`), so memory is bounded and nothing is lost.
 *
 * Beside the feeds there are *taps*: they are given commits as these are offered, and have no place where anything waits.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Message from "../../domain/Message.ts"
import * as NodeId from "../../domain/NodeId.ts"
import { TopicTrie } from "../../domain/TopicTrie.ts"
import { LogStore, type JournalFilter } from "../../storage/LogStore.ts"
import { TopicsSettings } from "../TopicsSettings.ts"
import { type Coverage, follow, type FollowingFeeds } from "./JournalFollower.ts"
import * as metrics from "./metrics.ts"

/** One commit, as far as it matches a feed's filter. */
export interface FeedBatch {
  /** Counts the feed's batches without a gap. */
  readonly seq: number
  /** In journal order; absent in a jump mark. */
  readonly messages: ReadonlyArray<Message.Message> | undefined
  /** The journal's end after the commit. */
  readonly end: number
}

/** What a subscriber gets: from `position` on, every matching commit comes as a batch, beginning with number `nextSeq`. */
export interface FeedSubscription {
  readonly position: number
  readonly nextSeq: number
  /** Waits for batches, and takes all that are there; none where the feeds have closed. */
  readonly take: Effect.Effect<ReadonlyArray<FeedBatch>>
  /** Whether there are batches from this number on. */
  readonly isBehind: (nextSeq: number) => boolean
}

/** Who gets commits at once (`JournalTap`). Must not throw, nor wait. */
export interface Tap {
  /** Whether it wants messages on a topic now. */
  readonly wants: (topic: string) => boolean
  /** Whether the last message of a run that one log has in the journal says it all. */
  readonly isContentWithLast: boolean
  /** What has to be read of the journal for it. */
  readonly filters: () => ReadonlyArray<JournalFilter>
  /** A commit, as far as it is wanted, and the journal's end after it. Payloads are lent. */
  readonly offer: (messages: ReadonlyArray<Message.Message>, end: number) => void
  /** Something has come up to the journal's end, and has to be read from storage. */
  readonly jump: (end: number) => void
}

/** All messages, the last one alone, or nothing but the journal's end. */
export type Heeded = "all" | "last" | "end"

export class LiveFeed extends Context.Service<
  LiveFeed,
  {
    /**
     * Gives a commit to the feeds: its messages in journal order, and the journal's end after it. Never waits. The messages
     * are kept as they are where they are `wanted`.
     */
    readonly offer: (messages: ReadonlyArray<Message.Message>, end: number) => void
    /** Whether anybody would get a commit that is offered now. */
    readonly wants: (messages: ReadonlyArray<Message.Message>) => boolean
    /** What matters of a run of messages that is offered on a topic now. */
    readonly heeded: (topic: string) => Heeded
    /** Sends every subscriber to storage for what it holds up to the journal's end, because nobody knows what came there. */
    readonly jump: (end: number) => void
    /** The journal's end as far as commits were offered. */
    readonly position: () => number
    /** The journal's end as far as it is known: beyond `position` there is something that has still to be offered. */
    readonly end: () => number
    /** What the feeds hold for subscribers that are behind, in bytes, about. */
    readonly heldBytes: () => number
    readonly subscribe: (filter: JournalFilter) => Effect.Effect<FeedSubscription, never, Scope.Scope>
    /** Gives a tap all that is offered from now on. What it gives back is to be called whenever it wants other topics. */
    readonly tap: (tap: Tap) => Effect.Effect<() => void, never, Scope.Scope>
  }
>()("millrace/topics/LiveFeed") {
  static readonly layer = Layer.effect(
    LiveFeed,
    Effect.gen(function* () {
      const store = yield* LogStore
      const settings = yield* TopicsSettings
      const feeds = yield* makeFeeds(settings, yield* store.end)
      const feed =
        store.info.isShared === true
          ? // What comes between own commits is told from their messages.
            { ...feeds, ...(yield* follow(store, settings, feeds)), heeded: () => "all" as const }
          : alone(feeds)
      yield* metrics.watchFeedLag(yield* Effect.context(), () => feed.end() - feed.position())
      return feed
    }),
  )
}

/** The feeds by themselves, whoever offers to them. */
export type Feeds = Omit<LiveFeed["Service"], "offer" | "wants" | "end"> & FollowingFeeds

/** Of a store that nobody else writes to: all that is committed is offered, one commit after the other. */
const alone = (feeds: Feeds): LiveFeed["Service"] => ({
  ...feeds,
  wants: feeds.isWanted,
  end: feeds.position,
})

/** A batch while subscribers still have to read it. */
interface HeldBatch {
  readonly seq: number
  messages: ReadonlyArray<Message.Message> | undefined
  readonly end: number
  readonly bytes: number
  /** Subscribers that have not read it yet. */
  readers: number
}

interface Feed {
  readonly key: string
  readonly filter: JournalFilter
  readonly pubsub: PubSub.PubSub<HeldBatch>
  /** Which feed it is, of all that were ever opened. */
  readonly number: number
  seq: number
  subscribers: number
}

const feedKey = (filter: JournalFilter): string =>
  `${filter.topics}\0${filter.origin === undefined ? "" : NodeId.key(filter.origin)}`

/** The last batch of a feed that closes. */
const closingSeq = -1

/** Topics whose feeds are remembered until a feed comes or goes. */
const routesMax = 10_000

export const makeFeeds = Effect.fnUntraced(function* (
  settings: TopicsSettings,
  position: number,
): Effect.fn.Return<Feeds, never, Scope.Scope> {
  const feeds = new Map<string, Feed>()
  const trie = new TopicTrie<Feed>()
  const routes = new Map<string, ReadonlyArray<Feed>>()
  /** Taps, with their number among all feeds and taps that were ever opened or have changed. */
  const taps = new Map<Tap, number>()
  /** Batches with messages that somebody has still to read, oldest first. */
  const held = new Set<HeldBatch>()
  let heldBytes = 0
  let opened = 0
  let filters: ReadonlyArray<JournalFilter> | undefined
  let closed = false
  const context = yield* Effect.context()

  const letGo = (batch: HeldBatch): void => {
    if (batch.messages === undefined) return
    batch.messages = undefined
    if (held.delete(batch)) heldBytes -= batch.bytes
  }

  const publish = (feed: Feed, batch: HeldBatch): void => {
    // `publishUnsafe` does not slide; `publish` does, and never waits in a sliding PubSub.
    if (!PubSub.publishUnsafe(feed.pubsub, batch)) Effect.runSync(PubSub.publish(feed.pubsub, batch))
  }

  const hold = (feed: Feed, messages: ReadonlyArray<Message.Message>, end: number): void => {
    let bytes = 0
    for (const message of messages) bytes += Message.residentBytes(message)
    const batch: HeldBatch = { seq: feed.seq++, messages, end, bytes, readers: feed.subscribers }
    held.add(batch)
    heldBytes += bytes
    publish(feed, batch)
    if (heldBytes <= settings.feedBytesMax) return
    for (const oldest of held) {
      letGo(oldest)
      if (heldBytes <= settings.feedBytesMax) return
    }
  }

  const route = (topic: string): ReadonlyArray<Feed> => {
    let found = routes.get(topic)
    if (found === undefined) {
      if (routes.size >= routesMax) routes.clear()
      routes.set(topic, (found = trie.match(topic)))
    }
    return found
  }

  const offer: Feeds["offer"] = (messages, end, covered): void => {
    const last = covered?.opened ?? opened
    position = end
    for (const [tap, number] of taps) {
      if (number > last) tap.jump(end)
      else tap.offer(wantedBy(tap, messages), end)
    }
    if (feeds.size === 0) return
    const matched = new Map<Feed, Array<Message.Message>>()
    let topic: string | undefined
    let found: ReadonlyArray<Feed> = []
    for (const message of messages) {
      if (message.topic !== topic) found = route((topic = message.topic))
      for (const feed of found) {
        if (feed.number > last) continue
        if (feed.filter.origin !== undefined && !NodeId.equals(feed.filter.origin, message.origin)) continue
        const batch = matched.get(feed)
        if (batch === undefined) matched.set(feed, [message])
        else batch.push(message)
      }
    }
    for (const [feed, batch] of matched) hold(feed, batch, end)
    if (last < opened) for (const feed of feeds.values()) if (feed.number > last) mark(feed, end)
  }

  const wantedBy = (tap: Tap, messages: ReadonlyArray<Message.Message>): ReadonlyArray<Message.Message> => {
    let topic: string | undefined
    let isWanted = false
    return messages.filter((message) => {
      if (message.topic !== topic) isWanted = tap.wants((topic = message.topic))
      return isWanted
    })
  }

  const isWanted: Feeds["isWanted"] = (messages) => {
    if (feeds.size === 0) return false
    let topic: string | undefined
    return messages.some((message) => message.topic !== topic && route((topic = message.topic)).length > 0)
  }

  /** Sends a feed's subscribers to storage. */
  const mark = (feed: Feed, end: number): void =>
    publish(feed, { seq: feed.seq++, messages: undefined, end, bytes: 0, readers: feed.subscribers })

  const heeded: Feeds["heeded"] = (topic) => {
    if (feeds.size > 0 && route(topic).length > 0) return "all"
    const wanting = [...taps.keys()].filter((tap) => tap.wants(topic))
    if (wanting.length === 0) return "end"
    return wanting.every((tap) => tap.isContentWithLast) ? "last" : "all"
  }

  const jump = (end: number): void => {
    position = end
    for (const tap of taps.keys()) tap.jump(end)
    for (const feed of feeds.values()) mark(feed, end)
  }

  const coverage = (): Coverage => {
    filters ??= [
      ...[...feeds.values()].map(({ filter }) => filter),
      ...[...taps.keys()].flatMap((tap) => tap.filters()),
    ]
    return { filters, opened }
  }
  const changed = (): void => {
    routes.clear()
    filters = undefined
  }

  const open = Effect.fnUntraced(function* (filter: JournalFilter) {
    const key = feedKey(filter)
    let feed = feeds.get(key)
    if (feed === undefined) {
      const pubsub = yield* PubSub.sliding<HeldBatch>(settings.feedBatchesMax)
      feed = { key, filter, pubsub, number: ++opened, seq: 0, subscribers: 0 }
      feeds.set(key, feed)
      trie.add(filter.topics, feed)
      changed()
    }
    feed.subscribers++
    return feed
  })

  const close = (feed: Feed): void => {
    if (--feed.subscribers > 0) return
    feeds.delete(feed.key)
    trie.remove(feed.filter.topics, feed)
    changed()
  }

  /** Notes that one subscriber has read a batch, or never will. */
  const read = (batch: HeldBatch): void => {
    if (--batch.readers <= 0) letGo(batch)
  }

  const subscribe = Effect.fnUntraced(function* (filter: JournalFilter) {
    const feed = yield* Effect.acquireRelease(open(filter), (feed) => Effect.sync(() => close(feed)))
    const subscription = yield* PubSub.subscribe(feed.pubsub)
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        const unread = Effect.runSync(PubSub.takeUpTo(subscription, settings.feedBatchesMax))
        for (const batch of unread) read(batch)
      }),
    )
    const take = Effect.map(PubSub.takeAll(subscription), (batches): ReadonlyArray<FeedBatch> => {
      const taken: Array<FeedBatch> = []
      for (const batch of batches) {
        if (batch.seq === closingSeq) return []
        taken.push({ seq: batch.seq, messages: batch.messages, end: batch.end })
        read(batch)
      }
      return taken
    })
    return {
      position,
      nextSeq: feed.seq,
      take: Effect.suspend(() => (closed ? Effect.succeed([]) : take)),
      isBehind: (nextSeq: number) => nextSeq < feed.seq,
    }
  })

  const tap = (added: Tap): Effect.Effect<() => void, never, Scope.Scope> => {
    const changed = (): void => {
      if (!taps.has(added)) return
      taps.set(added, ++opened)
      filters = undefined
    }
    const remove = Effect.sync(() => {
      taps.delete(added)
      filters = undefined
    })
    return Effect.acquireRelease(
      Effect.sync(() => {
        taps.set(added, ++opened)
        filters = undefined
        return changed
      }),
      () => remove,
    )
  }

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      closed = true
      for (const feed of feeds.values()) {
        publish(feed, { seq: closingSeq, messages: undefined, end: position, bytes: 0, readers: 0 })
      }
    }),
  )

  yield* metrics.watchHeldBytes(context, () => heldBytes)

  return {
    offer,
    jump,
    position: () => position,
    coverage,
    isWanted,
    heeded,
    heldBytes: () => heldBytes,
    subscribe,
    tap,
  }
})
