/**
 * Bugs planted on purpose, each as a layer that stands in for a right one. The ordering laws must find every one of
 * them: a suite that finds nothing here would prove nothing elsewhere.
 */
import { Effect, Layer, Scope } from "effect"
import * as LogId from "../../src/domain/LogId.ts"
import type { Message } from "../../src/domain/Message.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import { type FeedBatch, LiveFeed } from "../../src/topics/internal/LiveFeed.ts"

type Store = LogStore["Service"]

export const plantInStore = <A, E, R>(
  store: Layer.Layer<A | LogStore, E, R>,
  plant: (right: Store) => Partial<Store>,
): Layer.Layer<A | LogStore, E, R> =>
  Layer.effect(
    LogStore,
    LogStore.useSync((right) => LogStore.of({ ...right, ...plant(right) })),
  ).pipe(Layer.provideMerge(store))

const plantInFeed = (
  plant: (right: LiveFeed["Service"]) => Pick<LiveFeed["Service"], "subscribe">,
): Layer.Layer<LiveFeed, LayerError, LogStore> =>
  Layer.effect(
    LiveFeed,
    LiveFeed.useSync((right) => LiveFeed.of({ ...right, ...plant(right) })),
  ).pipe(Layer.provide(LiveFeed.layer))

type LayerError = Layer.Error<typeof LiveFeed.layer>

/** Makes whatever comes look as if nothing had been missed. */
const renumber = (nextSeq: number) => {
  let seq = nextSeq
  return (batches: ReadonlyArray<FeedBatch>): ReadonlyArray<FeedBatch> =>
    batches.map(({ messages = [], end }) => ({ seq: seq++, messages, end }))
}

/** Joins the feed only when replay is over: what is committed in between is missed. */
export const subscribeAfterReplay = plantInFeed((right) => ({
  subscribe: (filter) =>
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const early = yield* Effect.scoped(right.subscribe(filter))
      const number = renumber(early.nextSeq)
      const late = yield* Effect.cached(Effect.provideService(right.subscribe(filter), Scope.Scope, scope))
      return { ...early, take: Effect.flatMap(late, (feed) => Effect.map(feed.take, number)) }
    }),
}))

/** Takes what the feed still has for all there was. */
export const noLagDetection = plantInFeed((right) => ({
  subscribe: (filter) =>
    Effect.map(right.subscribe(filter), (feed) => {
      const number = renumber(feed.nextSeq)
      return { ...feed, take: Effect.map(feed.take, number) }
    }),
}))

/** Answers before the commit, which is made one write later, or never where the store is closed before. */
export const ackBeforeCommit = <A, E, R>(store: Layer.Layer<A | LogStore, E, R>) =>
  plantInStore(store, (right) => {
    let owed: Effect.Effect<unknown, unknown> = Effect.void
    let end: number | undefined
    const heads = new Map<string, number>()
    const settle = Effect.suspend(() => {
      const write = owed
      owed = Effect.void
      return Effect.ignore(write)
    })
    return {
      append: (requests) =>
        Effect.gen(function* () {
          yield* settle
          const drafts = requests.flat()
          if (drafts.some((draft) => draft.key !== undefined)) return yield* right.append(requests)
          end = yield* right.end
          const offsets: Array<number> = []
          const positions: Array<number> = []
          heads.clear()
          for (const { topic } of drafts) {
            const log = { topic, origin: right.info.node }
            const stored = yield* right.head(log)
            const head = (heads.get(topic) ?? (stored._tag === "Some" ? stored.value : 0)) + 1
            heads.set(topic, head)
            offsets.push(head)
            positions.push(++end)
          }
          owed = right.append(requests)
          return { offsets, positions, repeats: [], conflicts: [] }
        }),
      accept: (log, messages) => Effect.andThen(settle, right.accept(log, messages)),
      tombstone: (request) => Effect.andThen(settle, right.tombstone(request)),
    }
  })

/** Heads that were deleted, by log: each makes what comes after it one less. Outlives the store, as a file would. */
type DeletedHeads = Map<string, Array<number>>

const shiftedBy =
  (heads: DeletedHeads) =>
  (log: LogId.LogId, offset: number): number =>
    offset - (heads.get(LogId.key(log)) ?? []).filter((head) => head < offset).length

/** Numbers a log by its last row that is not deleted, and so goes back where the head was deleted. */
export const offsetFromMaxRow = <A, E, R>(store: Layer.Layer<A | LogStore, E, R>, heads: DeletedHeads = new Map()) =>
  plantInStore(store, (right) => {
    const shifted = shiftedBy(heads)
    const wrong = (messages: ReadonlyArray<Message>) =>
      messages.map((message) => ({ ...message, offset: shifted(message, message.offset) }))
    return {
      append: (requests) =>
        Effect.map(right.append(requests), (result) => ({
          ...result,
          offsets: result.offsets.map((offset, i) =>
            shifted({ topic: requests.flat()[i]!.topic, origin: right.info.node }, offset),
          ),
        })),
      tombstone: (request) =>
        Effect.gen(function* () {
          const head = yield* right.head(request.log)
          const result = yield* right.tombstone(request)
          if (head._tag === "Some" && request.from <= head.value && head.value <= request.to) {
            const key = LogId.key(request.log)
            heads.set(key, [...(heads.get(key) ?? []), head.value])
          }
          return result
        }),
      readLog: (log, from, limit) => Effect.map(right.readLog(log, from, limit), wrong),
      readJournal: (after, filter, limit) =>
        Effect.map(right.readJournal(after, filter, limit), (page) => ({ ...page, messages: wrong(page.messages) })),
    }
  })
