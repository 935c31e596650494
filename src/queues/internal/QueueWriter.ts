/**
 * The one writer of a store's queues: operations that wait at the same time share a commit, and take effect in the order
 * in which they came. An operation that has not gone to the store yet can be taken back; once it has, an interrupted
 * caller does not know its outcome.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { Unavailable, type WriteFailure } from "../../domain/errors.ts"
import { deadQueueOf } from "../../domain/QueueItem.ts"
import { failureOf } from "../../storage/failure.ts"
import { Flight } from "../../storage/Flight.ts"
import { type QueueOperation, type QueueResult, QueueStore } from "../../storage/QueueStore.ts"
import { QueuesSettings } from "../QueuesSettings.ts"

type WriteError = WriteFailure | Unavailable

/** The result of an operation of one type. */
type ResultOf<Type extends QueueOperation["type"]> = Extract<QueueResult, { readonly type: Type }>

type Resume = (result: Effect.Effect<QueueResult, WriteError>) => void

/**
 * An operation that waits. Whoever is interrupted meanwhile has taken it back: that is seen by its fiber being done,
 * since a finalizer for each operation would cost as much as the rest of it.
 */
class Entry {
  readonly operation: QueueOperation
  readonly bytes: number
  readonly resume: Resume
  readonly #caller = Fiber.getCurrent()

  constructor(operation: QueueOperation, bytes: number, resume: Resume) {
    this.operation = operation
    this.bytes = bytes
    this.resume = resume
  }

  get isAbandoned(): boolean {
    return this.#caller?.pollUnsafe() !== undefined
  }
}

export class QueueWriter extends Context.Service<
  QueueWriter,
  {
    /** Applies an operation; `bytes` is about what it holds in memory while it waits. */
    readonly apply: <Type extends QueueOperation["type"]>(
      operation: QueueOperation & { readonly type: Type },
      bytes?: number,
    ) => Effect.Effect<ResultOf<Type>, WriteError>
    /** Calls a listener with the queues that a commit has added to, until the listener is removed by what is given back. */
    readonly onEnqueued: (listener: (queues: ReadonlySet<string>) => void) => () => void
  }
>()("millrace/queues/QueueWriter") {
  static readonly layer = Layer.effect(
    QueueWriter,
    Effect.suspend(() => make()),
  )
}

/** Commits sent one after another before timers and sockets get their turn. */
const turnsMax = 32

const make = Effect.fnUntraced(function* () {
  const store = yield* QueueStore
  const settings = yield* QueuesSettings
  const runFork = Effect.runForkWith(yield* Effect.context())
  const listeners = new Set<(queues: ReadonlySet<string>) => void>()
  let waiting: Array<Entry> = []
  let isCommitting = false
  let isScheduled = false
  let turns = 0
  let isClosing = false
  let whenIdle: (() => void) | undefined

  /**
   * Not at once: operations that are started together shall share the commit. And now and then not before others had
   * their turn: a store that answers at once, and callers that go on at once, would keep them from the event loop.
   */
  const schedule = (): void => {
    if (isScheduled) return
    isScheduled = true
    const run = () => {
      isScheduled = false
      pump()
    }
    if (++turns < turnsMax) return queueMicrotask(run)
    turns = 0
    setImmediate(run)
  }

  const takeBatch = (): ReadonlyArray<Entry> => {
    const live = waiting.filter((entry) => !entry.isAbandoned)
    let count = 0
    let bytes = 0
    for (const entry of live) {
      bytes += entry.bytes
      if (count > 0 && (count === settings.commitOperationsMax || bytes > settings.commitBytesMax)) break
      count += 1
    }
    waiting = live.slice(count)
    return live.slice(0, count)
  }

  const pump = (): void => {
    if (isCommitting) return
    const batch = takeBatch()
    if (batch.length === 0) return whenIdle?.()
    isCommitting = true
    const flight = new Flight<Exit.Exit<ReadonlyArray<QueueResult>, WriteFailure>>((exit) => {
      if (Exit.isSuccess(exit)) return tell(batch, exit.value)
      const error = failureOf(exit.cause, "queue")
      // A full store takes nothing new, and goes on with the rest.
      const spared = error._tag === "StorageFull" ? batch.filter(({ operation }) => operation.type !== "enqueue") : []
      if (spared.length === 0 || spared.length === batch.length) {
        for (const { resume } of batch) resume(Effect.fail(error))
        return
      }
      for (const { operation, resume } of batch) if (operation.type === "enqueue") resume(Effect.fail(error))
      waiting = [...spared, ...waiting]
    })
    send(flight, store.apply(batch.map(({ operation }) => operation)))
  }

  const send = <A, E>(flight: Flight<Exit.Exit<A, E>>, write: Effect.Effect<A, E>): void => {
    runFork(write).addObserver((exit) => {
      isCommitting = false
      flight.land(exit)
      flight.complete()
      schedule()
    })
  }

  const tell = (batch: ReadonlyArray<Entry>, results: ReadonlyArray<QueueResult>): void => {
    const added = new Set<string>()
    batch.forEach(({ operation, resume }, i) => {
      const result = results[i]!
      if (operation.type === "enqueue") added.add(operation.item.queue)
      else if (operation.type === "redrive") added.add(operation.queue)
      else if (result.type === "reject" && result.isDead) added.add(deadQueueOf(operation.queue))
      resume(Effect.succeed(result))
    })
    if (added.size > 0) for (const listener of listeners) listener(added)
  }

  yield* Effect.addFinalizer(() =>
    Effect.callback<void>((resume) => {
      isClosing = true
      // What was accepted is finished; nothing new is.
      if (!isCommitting && waiting.length === 0) return resume(Effect.void)
      whenIdle = () => resume(Effect.void)
    }),
  )

  const apply = (operation: QueueOperation, bytes = 256): Effect.Effect<QueueResult, WriteError> =>
    Effect.callback((resume) => {
      if (isClosing) return resume(Effect.fail(new Unavailable({ message: "the node is closing" })))
      waiting.push(new Entry(operation, bytes, resume))
      schedule()
    })

  return QueueWriter.of({
    // A result is of the type that its operation has.
    apply: apply as QueueWriter["Service"]["apply"],
    onEnqueued: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  })
})
