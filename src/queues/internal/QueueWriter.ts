/**
 * The one writer of a store's queues: operations that wait at the same time share a commit. One that has not gone to the
 * store yet can be taken back; once it has, an interrupted caller does not know its outcome.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { Unavailable, type WriteFailure } from "../../domain/errors.ts"
import type { QueueItem } from "../../domain/QueueItem.ts"
import { CommitPump } from "../../storage/parts/CommitPump.ts"
import * as CommitSpan from "../../storage/parts/commitSpan.ts"
import { failureOf } from "../../storage/parts/failure.ts"
import { LogStore } from "../../storage/LogStore.ts"
import { type QueueOperation, type QueueResult, QueueStore, type ResultOf } from "../../storage/QueueStore.ts"
import type { PendingItem } from "../draft.ts"
import { QueuesSettings } from "../QueuesSettings.ts"
import { type Commit, prepare } from "./commit.ts"
import { type Acknowledged, DoneEntry, EnqueueEntry, type Entry, OperationEntry, type WriteError } from "./entries.ts"
import * as metrics from "./metrics.ts"

export class QueueWriter extends Context.Service<
  QueueWriter,
  {
    /** Adds an item, and gives it as it was stored. */
    readonly enqueue: (draft: PendingItem) => Effect.Effect<QueueItem, WriteError>
    /** Any operation but that. */
    readonly apply: <Type extends QueueOperation["type"]>(
      operation: QueueOperation & { readonly type: Type },
    ) => Effect.Effect<ResultOf<Type>, WriteError>
    /** Acknowledges the item with a sequence, if it is the front. The hot path of takers, hence no effect. */
    readonly done: (queue: string, sequence: number, acknowledged: Acknowledged) => void
    /**
     * Calls a listener with the queues that a commit has added to, here or, as far as that is told, at another node, until
     * the listener is removed by what is given back.
     */
    readonly onEnqueued: (listener: (queues: ReadonlySet<string>) => void) => () => void
  }
>()("millrace/queues/QueueWriter") {
  static readonly layer = Layer.effect(
    QueueWriter,
    Effect.suspend(() => make()),
  )
}

type CommitExit = Exit.Exit<ReadonlyArray<QueueResult>, WriteFailure>

const make = Effect.fnUntraced(function* () {
  const store = yield* QueueStore
  const { node } = (yield* LogStore).info
  const settings = yield* QueuesSettings
  const clock = yield* Clock.Clock
  const services = yield* Effect.context()
  const inSpan = CommitSpan.make(services, "commit operations on queues")
  const runFork = Effect.runForkWith(services)
  const listeners = new Set<(queues: ReadonlySet<string>) => void>()
  let waiting: Array<Entry> = []
  let isClosing = false

  const takeBatch = (): Array<Entry> => {
    const live = waiting.filter((entry) => !entry.isAbandoned)
    let count = 0
    let bytes = 0
    for (const entry of live) {
      bytes += entry.bytes
      if (count > 0 && (count === settings.commitOperationsMax || bytes > settings.commitBytesMax)) break
      count += 1
    }
    waiting = count === live.length ? [] : live.splice(count)
    return live
  }

  const send = (): void => {
    const entries = takeBatch()
    if (entries.length === 0) return
    const commit = prepare(entries, node, clock.currentTimeMillisUnsafe())
    const sentNanos = clock.monotonicTimeNanosUnsafe()
    const land = pump.fly<CommitExit>((exit) => {
      const millis = Number(clock.monotonicTimeNanosUnsafe() - sentNanos) / 1e6
      pump.took(millis)
      if (Exit.isSuccess(exit)) {
        metrics.committed(services, commit.steps, exit.value, millis / 1000)
        answer(commit, exit.value)
      } else {
        metrics.commitFailed(services)
        const error = failureOf(exit.cause, "queue")
        for (const entry of entries) entry.fail(error)
      }
      // See `Flight`.
      entries.length = 0
    })
    const apply = store.apply(commit.steps.map(({ operation }) => operation))
    runFork(inSpan === undefined ? apply : inSpan(entries, apply)).addObserver(land)
  }

  const pump = new CommitPump({ inFlightMax: settings.commitsInFlightMax, waiting: () => waiting.length, send })

  const answer = ({ added, steps }: Commit, results: ReadonlyArray<QueueResult>): void => {
    // Whoever enqueues again at once is on the way to the store while the other half is being answered.
    const halfway = () => {
      if (pump.hasRoomWhileAnswering) pump.pump()
    }
    steps.forEach((step, i) => step.answer(results[i]!, halfway))
    const queues = added(results)
    if (queues.size > 0) for (const listener of listeners) listener(queues)
  }

  const { onEnqueued } = store
  if (onEnqueued !== undefined) {
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        onEnqueued((queue) => {
          for (const listener of listeners) listener(new Set([queue]))
        }),
      ),
      (remove) => Effect.sync(remove),
    )
  }

  const add = (entry: Entry): void => {
    if (isClosing) return entry.fail(new Unavailable({ message: "the node is closing" }))
    waiting.push(entry)
    pump.schedule()
  }

  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      isClosing = true
      // What was accepted is finished; nothing new is.
      return pump.idle
    }),
  )

  metrics.begin(services)
  yield* metrics.watchWaiting(services, () => waiting.length)

  const apply = (operation: QueueOperation): Effect.Effect<QueueResult, WriteError> =>
    Effect.callback((resume) => add(new OperationEntry(operation, resume)))

  return QueueWriter.of({
    enqueue: (draft) => Effect.callback((resume) => add(new EnqueueEntry(draft, resume))),
    // A result is of the type that its operation has.
    apply: apply as QueueWriter["Service"]["apply"],
    done: (queue, sequence, acknowledged) => add(new DoneEntry(queue, sequence, acknowledged)),
    onEnqueued: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  })
})
