/**
 * What several nodes write, in the order of the journal: stands before the live feeds where a store is shared.
 *
 *     own commits ───▶ next in the journal? ── yes ──▶ live feeds
 *                                │ no                      ▲
 *     hints of others ──▶ journal's end ──▶ pages of it ───┘
 *
 * Invariants:
 * 1. What the feeds get is the journal: whatever is offered begins right after what was offered last, and is all that is
 *    there up to its end, as far as anybody subscribes to it.
 * 2. Whatever is known to be there is offered, by an own commit or by a page, or the store cannot be read now.
 *
 * Positions are in commit order, so an own commit is offered directly where its first position is the next one. Otherwise
 * others have committed before it, or something was discarded: then it waits in the store for its turn, and is read there with what
 * comes before it. Neither the publisher nor anybody else waits for that.
 *
 * A hint (`LogStore.onMoved`) says how far there is something to read; when it comes is a question of promptness alone.
 * Pages are read once for all subscribers, one at a time, and only what they subscribe to. Nobody waits for a slow one: the
 * feeds let go of what it does not read in time.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import { after, type Message } from "../../domain/Message.ts"
import { failureOf } from "../../storage/parts/failure.ts"
import type { JournalFilter, LogStore } from "../../storage/LogStore.ts"
import type { TopicsSettings } from "../TopicsSettings.ts"

/** Which feeds there are: what is read for them is not enough for those that are opened later. */
export interface Coverage {
  /** What they are for. */
  readonly filters: ReadonlyArray<JournalFilter>
  /** How many feeds had ever been opened. */
  readonly opened: number
}

/** What a follower has to do with the feeds. */
export interface FollowingFeeds {
  readonly position: () => number
  readonly coverage: () => Coverage
  /** Whether a feed would keep any of these messages. */
  readonly isWanted: (messages: ReadonlyArray<Message>) => boolean
  /** Gives messages to the feeds that they cover, by default to all, and sends those opened later to storage. */
  readonly offer: (messages: ReadonlyArray<Message>, end: number, covered?: Coverage) => void
  /** See `LiveFeed.jump`. */
  readonly jump: (end: number) => void
}

/** What a follower puts in the place of what the feeds do by themselves: see `LiveFeed`. */
export interface Following {
  readonly offer: (messages: ReadonlyArray<Message>, end: number) => void
  readonly wants: (messages: ReadonlyArray<Message>) => boolean
  readonly jump: (end: number) => void
  readonly end: () => number
}

/** How long to wait before a page is read again that could not be read; twice as long each time, up to the longest. */
const retryMillisMin = 50
const retryMillisMax = 1000

export const follow = Effect.fnUntraced(function* (
  store: LogStore["Service"],
  settings: TopicsSettings,
  feeds: FollowingFeeds,
): Effect.fn.Return<Following, never, Scope.Scope> {
  const limit = { rows: settings.pageMessagesMax, bytes: settings.pageBytesMax }
  /** The journal's end as far as anybody said. */
  let end = feeds.position()
  /** Open while there is something to read. */
  const bell = Latch.makeUnsafe(false)

  const reached = (position: number): void => {
    end = Math.max(end, position)
    if (end <= feeds.position()) return
    if (feeds.coverage().filters.length === 0) feeds.offer([], end)
    else bell.openUnsafe()
  }

  /** Whether an own commit goes on where the feeds are. */
  const isNext = (messages: ReadonlyArray<Message>): boolean => {
    const first = messages[0]!.position
    const last = messages[messages.length - 1]!.position
    return first <= feeds.position() + 1 && last - first + 1 === messages.length
  }

  const offer: Following["offer"] = (messages, last) => {
    const position = feeds.position()
    // A page has been quicker.
    if (last <= position) return
    end = Math.max(end, last)
    if (isNext(messages)) feeds.offer(after(messages, position), last)
    else reached(last)
  }

  /** Offers the next page. Gives whether there was anything new in it. */
  const readOn = Effect.fnUntraced(function* () {
    const covered = feeds.coverage()
    const from = feeds.position()
    const page = yield* store.readJournal(from, covered.filters, limit)
    // Own commits may have been offered meanwhile.
    const position = feeds.position()
    if (page.scannedTo > position) feeds.offer(after(page.messages, position), page.scannedTo, covered)
    end = Math.max(end, page.end)
    return feeds.position() > from
  })

  const catchUp = Effect.gen(function* () {
    let delayMillis = 0
    while (end > feeds.position()) {
      if (feeds.coverage().filters.length === 0) return feeds.offer([], end)
      const read = yield* Effect.exit(readOn())
      if (Exit.isFailure(read)) {
        // Also a defect, or a connection that was closed under it: whatever it is, this goes on.
        const { message } = failureOf(read.cause, "follow")
        if (delayMillis === 0) yield* Effect.logWarning(`the journal cannot be followed for now: ${message}`)
        delayMillis = Math.min(Math.max(2 * delayMillis, retryMillisMin), retryMillisMax)
        yield* Effect.sleep(delayMillis)
      } else {
        delayMillis = 0
        // What was said to be there cannot be seen yet: somebody will say so again.
        if (!read.value) return
      }
    }
  })

  const { onMoved } = store
  if (onMoved !== undefined) {
    yield* Effect.acquireRelease(
      Effect.sync(() => onMoved(reached)),
      (remove) => Effect.sync(remove),
    )
  }
  // What was written before the listener was there.
  yield* Effect.ignore(Effect.map(store.end, reached))

  yield* Effect.gen(function* () {
    while (true) {
      // Closed before looking: what is said from here on rings.
      bell.closeUnsafe()
      yield* catchUp
      yield* bell.await
    }
  }).pipe(Effect.forkScoped({ startImmediately: true }))

  return {
    offer,
    wants: (messages) => feeds.isWanted(messages) && isNext(messages),
    jump: (position) => {
      end = Math.max(end, position)
      feeds.jump(position)
    },
    end: () => Math.max(end, feeds.position()),
  }
})
