/**
 * The one writer of a store: all writes go through it, first come first served.
 *
 * *Group commit*: publishes that wait at the same time go to the store together, as one commit. When it is durable the
 * live feed gets its messages, then every publisher is answered, in journal order.
 *
 *     publish ──┐                        ┌─▶ live feed
 *     publish ──┼─▶ waiting ─▶ in flight ┴─▶ publishers
 *     accept  ──┘      (one commit, or two where commits are quick)
 *
 * A write that has not gone to the store yet can be taken back; once it has, an interrupted caller does not know its
 * outcome. Plain code: Effect comes in at the edges, because a fiber per message is what a publish costs already.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { type KeyConflict, OutcomeUnknown, Unavailable, type WriteFailure } from "../../domain/errors.ts"
import type { OffsetConflict, OffsetGap } from "../../domain/errors.ts"
import type { LogId } from "../../domain/LogId.ts"
import type { Message } from "../../domain/Message.ts"
import {
  type AcceptedRun,
  type AcceptResult,
  type DiscardResult,
  type EncodedBlock,
  LogStore,
  type ReplicatedMessage,
  type TombstoneRequest,
  type TombstoneResult,
} from "../../storage/LogStore.ts"
import { CommitPump, overlapEntriesMin } from "../../storage/parts/CommitPump.ts"
import * as CommitSpan from "../../storage/parts/commitSpan.ts"
import { failureOf } from "../../storage/parts/failure.ts"
import { acceptBlocks, acceptedOf, lastReplica, replicasFrom } from "../../storage/parts/ReplicaBlocks.ts"
import { TopicsSettings } from "../TopicsSettings.ts"
import * as commit from "./commit.ts"
import { type AppendEntry, type AppendError, BatchEntry, CallEntry, DepositEntry } from "./entries.ts"
import { type Depositor, type Entry, SingleEntry } from "./entries.ts"
import type { PendingDraft } from "../draft.ts"
import { LiveFeed } from "./LiveFeed.ts"
import * as metrics from "./metrics.ts"

export class JournalWriter extends Context.Service<
  JournalWriter,
  {
    /**
     * Appends drafts as one request, all or none, and gives the stored messages in their order. `named` is told the ids that
     * they have, before anybody can see them.
     */
    readonly append: (
      drafts: ReadonlyArray<PendingDraft>,
      named?: (ids: ReadonlyArray<string>) => void,
    ) => Effect.Effect<ReadonlyArray<Message>, AppendError>
    /** Appends one draft: `append` without the array, because it is the hot path. */
    readonly appendOne: (draft: PendingDraft) => Effect.Effect<Message, AppendError>
    /** Appends one draft that no fiber waits for. */
    readonly deposit: (draft: PendingDraft, depositor: Depositor) => void
    /** See `LogStore.accept`. */
    readonly accept: (
      log: LogId,
      messages: ReadonlyArray<ReplicatedMessage>,
    ) => Effect.Effect<AcceptResult, OffsetConflict | OffsetGap | WriteFailure | Unavailable>
    /** See `LogStore.acceptBlocks`. */
    readonly acceptBlocks: (
      log: LogId,
      from: number,
      blocks: ReadonlyArray<EncodedBlock>,
    ) => Effect.Effect<AcceptedRun, OffsetConflict | OffsetGap | WriteFailure | Unavailable>
    /** See `LogStore.tombstone`; `marker` says whether one is to be appended. */
    readonly tombstone: (
      range: Omit<TombstoneRequest, "marker">,
      marker: boolean,
    ) => Effect.Effect<TombstoneResult, WriteFailure | Unavailable>
    /** See `LogStore.discard`. */
    readonly discard: (log: LogId, from: number) => Effect.Effect<DiscardResult, WriteFailure | Unavailable>
  }
>()("millrace/topics/JournalWriter") {
  static readonly layer = Layer.effect(
    JournalWriter,
    Effect.suspend(() => make()),
  )
}

const closing = () => new Unavailable({ message: "the node is closing" })

const make = Effect.fnUntraced(function* () {
  const store = yield* LogStore
  const feed = yield* LiveFeed
  const settings = yield* TopicsSettings
  const clock = yield* Clock.Clock
  const services = yield* Effect.context()
  const inSpan = CommitSpan.make(services, "commit messages")
  const runFork = Effect.runForkWith(services)

  /** Taken ones are gone at once: whoever waits long must not keep them alive. */
  let waiting: Array<Entry | undefined> = []
  let next = 0
  let isClosing = false

  /** The time in milliseconds since 1970 as it was when the node began, counted on from there: nobody sets it. */
  const steady = (): number => Math.round(beganAt + Number(clock.monotonicTimeNanosUnsafe() - began) / 1e6)
  const beganAt = clock.currentTimeMillisUnsafe()
  const began = clock.monotonicTimeNanosUnsafe()

  const enqueue = (entry: Entry): void => {
    if (isClosing) return entry.fail(closing())
    waiting.push(entry)
    pump.schedule()
  }

  const sendNext = (): void => {
    const entry = waiting[next]
    if (entry instanceof CallEntry) sendCall(entry)
    else sendAppends()
    if (next === waiting.length) {
      waiting = []
      next = 0
    } else if (next > 4096) {
      waiting = waiting.slice(next)
      next = 0
    }
  }

  const pump = new CommitPump({
    inFlightMax: settings.commitsInFlightMax,
    waiting: () => waiting.length - next,
    send: sendNext,
  })

  const takeAppends = (): Array<AppendEntry> => {
    const batch: Array<AppendEntry> = []
    let messages = 0
    let bytes = 0
    for (; next < waiting.length; next++) {
      const entry = waiting[next]!
      if (!entry.isAbandoned) {
        if (entry instanceof CallEntry) break
        messages += entry.count
        bytes += entry.bytes
        if (batch.length > 0 && (messages > settings.commitMessagesMax || bytes > settings.commitBytesMax)) break
        batch.push(entry)
      }
      waiting[next] = undefined
    }
    return batch
  }

  const sendAppends = (): void => {
    const entries = takeAppends()
    if (entries.length === 0) return
    const createdAt = clock.currentTimeMillisUnsafe()
    const { messages, requests } = commit.prepare(entries, store.info.node, createdAt, steady())
    const sentNanos = clock.monotonicTimeNanosUnsafe()
    const append = store.append(requests)
    send(inSpan === undefined ? append : inSpan(entries, append), (exit) => {
      if (Exit.isFailure(exit)) {
        metrics.commitFailed(services)
        const error = failureOf(exit.cause, "publish")
        metrics.publishesFailed(services, error._tag, entries.length)
        for (const entry of entries) entry.fail(error)
        return
      }
      const millis = Number(clock.monotonicTimeNanosUnsafe() - sentNanos) / 1e6
      pump.took(millis)
      const results = commit.resultsOf(messages, exit.value)
      metrics.committed(services, entries, results.stored, millis / 1000)
      metrics.publishesFailed(services, "KeyConflict", exit.value.conflicts.length)
      if (results.stored.length > 0) {
        const stored = feed.wants(results.stored) ? commit.detach(results.stored) : results.stored
        feed.offer(stored, results.end)
      }
      answer(entries, results.answers)
    })
  }

  const answer = (entries: Array<AppendEntry>, answers: ReadonlyArray<commit.Answer>): void => {
    // Where the store has nothing to do now, the first half goes ahead, and two commits take turns from here on.
    const isLarge = entries.length >= 2 * overlapEntriesMin
    const half = isLarge && pump.hasRoomWhileAnswering ? entries.length >> 1 : -1
    for (let i = 0; i < entries.length; i++) {
      // Whoever publishes again at once is on the way to the store while the other half is being answered.
      if (i === half) pump.pump()
      const result = answers[i]!
      if (Array.isArray(result)) entries[i]!.succeed(result)
      else entries[i]!.fail(result as KeyConflict)
    }
    // See `Flight`.
    entries.length = 0
  }

  /** Gives the feed messages of another node, which are stored now. */
  const offer = (accepted: ReadonlyArray<Message>): void => {
    if (accepted.length === 0) return
    feed.offer(feed.wants(accepted) ? commit.detach(accepted) : accepted, accepted[accepted.length - 1]!.position)
  }

  const sendCall = (entry: CallEntry): void => {
    waiting[next++] = undefined
    if (entry.isAbandoned) return
    entry.start(pump.fly<() => void>((complete) => complete()))
  }

  /** Runs a write; completes it after those that were sent before it. */
  const send = <A, E>(write: Effect.Effect<A, E>, complete: (exit: Exit.Exit<A, E>) => void): void => {
    runFork(write).addObserver(pump.fly(complete))
  }

  /** Any write but an append. `landed` runs in its turn, before the caller is answered. */
  const call = <A, E>(
    operation: string,
    write: Effect.Effect<A, E>,
    landed: (result: A) => void,
  ): Effect.Effect<A, E | Unavailable | OutcomeUnknown> =>
    Effect.callback((resume) => {
      const start: CallEntry["start"] = (settle) =>
        runFork(write).addObserver((exit) =>
          settle(() => {
            if (Exit.isSuccess(exit)) landed(exit.value)
            else metrics.commitFailed(services)
            resume(commit.typed(exit, operation))
          }),
        )
      enqueue(new CallEntry(start, (error) => resume(Effect.fail(error))))
    })

  // In its turn: when what went to the store before has come back, and before anything else goes there.
  const { onReopened } = store
  if (onReopened !== undefined) {
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        onReopened((end) => Effect.ignore(call("reopened", Effect.succeed(end), (reached) => feed.jump(reached)))),
      ),
      (remove) => Effect.sync(remove),
    )
  }

  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      isClosing = true
      // What was accepted is finished; nothing new is.
      return pump.idle
    }),
  )

  metrics.begin(services)
  yield* metrics.watchWaiting(services, () => waiting.length - next)

  return JournalWriter.of({
    append: (drafts, named) => Effect.callback((resume) => enqueue(new BatchEntry(drafts, resume, named))),
    appendOne: (draft) => Effect.callback((resume) => enqueue(new SingleEntry(draft, resume))),
    deposit: (draft, depositor) => enqueue(new DepositEntry(draft, depositor)),
    accept: (log, messages) => call("accept", store.accept(log, messages), ({ accepted }) => offer(accepted)),
    acceptBlocks: (log, from, blocks) =>
      call("accept", acceptBlocks(store, log, from, blocks), (run) => {
        if (run.count === 0) return
        // Blocks are taken apart only as far as somebody wants what is in them.
        const heeded = feed.heeded(log.topic)
        const position = run.position + run.count - 1
        if (heeded === "all") offer(acceptedOf(log, replicasFrom(from, blocks), run))
        else if (heeded === "last") offer(acceptedOf(log, [lastReplica(from, blocks)], { ...run, count: 1, position }))
        else feed.offer([], position)
      }),
    // The feed has nothing to give: that messages are gone is seen by who reads on.
    discard: (log, from) => call("discard", store.discard(log, from), () => undefined),
    tombstone: (range, marker) =>
      Effect.suspend(() =>
        call(
          "delete",
          store.tombstone({
            ...range,
            marker: marker ? { id: crypto.randomUUID(), createdAt: clock.currentTimeMillisUnsafe() } : undefined,
          }),
          (result) => {
            if (result.marker !== undefined) feed.offer([result.marker], result.marker.position)
          },
        ),
      ),
  })
})
