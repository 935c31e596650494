/**
 * Stores that open themselves again when they had to give up: after an I/O error nobody knows what is on the disk, and
 * the only way to find out is to close everything and read it anew (see `LogStore` on failure).
 *
 *           the store gives up                  closed, opened, found whole
 *     up ───────────────────────▶ down ───────────────────────────────────────▶ up
 *                                 │  ▲
 *                                 └──┘ does not open: again, later and later
 *
 * While it is down writes are refused at once, and reads wait a while. It must be the same store that comes back, with
 * everything that was acknowledged; what was in doubt may be there or not. Before anything new is written, whoever
 * follows the journal is told where it ends now.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { OutcomeUnknown, StorageFailed, StoreUnusable } from "../domain/errors.ts"
import { alone } from "./Holders.ts"
import { acceptBlocks, readBlocks } from "./parts/ReplicaBlocks.ts"
import * as NodeId from "../domain/NodeId.ts"
import { fromContext, type Stores, type StoreServices, toContext } from "./Stores.ts"

/** Milliseconds before the second attempt; twice as many before each that follows, up to the longest. */
const delayMillisMin = 250
const defaultDelayMillisMax = 10_000
/** Who stayed up for so long has recovered: the next failure begins with short delays again. */
const steadyMillis = 60_000

/** How long a read waits for the store to be back. */
const patienceMillis = 5000

/** @param again whether it was open before: then it must be there, and is not to be made */
type Open = (again: boolean) => Layer.Layer<StoreServices, StoreUnusable>

export interface ReopeningOptions {
  /** Milliseconds between attempts at most, by default 10,000. */
  readonly delayMillisMax?: number | undefined
  /** Whether it will never be opened again after a refusal: then it stays down. By default it is tried for ever. */
  readonly isFinal?: ((refusal: StoreUnusable) => boolean) | undefined
}

interface Opened {
  readonly stores: Stores
  readonly scope: Scope.Closeable
}

const openOnce = (open: Open, again: boolean): Effect.Effect<Opened, StoreUnusable> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(open(again), scope).pipe(
      Effect.onError(() => Scope.close(scope, Exit.void)),
    )
    return { stores: fromContext(context), scope }
  })

const make = Effect.fnUntraced(function* (
  open: Open,
  { delayMillisMax = defaultDelayMillisMax, isFinal = () => false }: ReopeningOptions,
): Effect.fn.Return<Stores, StoreUnusable, Scope.Scope> {
  const later = (delay: number): number => Math.min(Math.max(2 * delay, delayMillisMin), delayMillisMax)
  const clock = yield* Clock.Clock
  let opened: Opened = yield* Effect.acquireRelease(openOnce(open, false), () => Scope.close(opened.scope, Exit.void))
  const { info } = opened.stores.logs
  const listeners = new Set<(end: number) => Effect.Effect<void>>()
  const moved = new Set<(end: number) => void>()
  const enqueued = new Set<(queue: string) => void>()
  /** Open while the store is. */
  const isUp = yield* Latch.make(true)
  let refusal = ""
  /** The last position that was acknowledged. */
  let acknowledged = yield* Effect.orElseSucceed(opened.stores.logs.end, () => 0)

  /** Passes on what the store that is open now is told of other nodes. */
  const follow = ({ logs, queues }: Stores): void => {
    logs.onMoved?.((end) => moved.forEach((listener) => listener(end)))
    queues.onEnqueued?.((queue) => enqueued.forEach((listener) => listener(queue)))
  }
  follow(opened.stores)

  const refused = (operation: string) => Effect.fail(new StorageFailed({ operation, message: refusal }))

  const write = <A, E>(operation: string, use: (stores: Stores) => Effect.Effect<A, E>) =>
    Effect.suspend((): Effect.Effect<A, E | StorageFailed | OutcomeUnknown> =>
      Latch.isOpen(isUp)
        ? cutOff(use(opened.stores), () => Effect.fail(new OutcomeUnknown({ operation, message: closedUnder })))
        : refused(operation),
    )

  const once = <A, E, R>(operation: string, use: (stores: Stores) => Effect.Effect<A, E, R>) =>
    Effect.suspend((): Effect.Effect<A, E | StorageFailed, R> => {
      const open = Effect.suspend(() =>
        cutOff(use(opened.stores), () => Effect.fail(new StorageFailed({ operation, message: closedUnder }))),
      )
      if (Latch.isOpen(isUp)) return open
      return Effect.flatMap(
        Effect.timeoutOption(Latch.await(isUp), patienceMillis),
        (back): Effect.Effect<A, E | StorageFailed, R> => (back._tag === "Some" ? open : refused(operation)),
      )
    })

  /** A read that fails because the store went down meanwhile is made again when it is back. */
  const read = <A, E, R = never>(operation: string, use: (stores: Stores) => Effect.Effect<A, E, R>) =>
    Effect.suspend(() => {
      const before = opened
      const wentDown = () => opened !== before || !Latch.isOpen(isUp)
      return Effect.catchIf(once(operation, use), wentDown, () => once(operation, use))
    })

  const reached = (position: number | undefined): void => {
    if (position !== undefined && position > acknowledged) acknowledged = position
  }

  /** Opens the store, if it is the one that it was. */
  const reopenOnce = Effect.gen(function* () {
    const next = yield* openOnce(open, true)
    return yield* Effect.gen(function* () {
      const end = yield* Effect.mapError(
        next.stores.logs.end,
        ({ message }) => new StoreUnusable({ reason: "not available", message }),
      )
      const { node, incarnation } = next.stores.logs.info
      if (incarnation !== info.incarnation || !NodeId.equals(node, info.node)) {
        return yield* new StoreUnusable({
          reason: "other identity",
          message: "there is another store in the place of the one that was open",
        })
      }
      if (end < acknowledged) {
        return yield* new StoreUnusable({
          reason: "incomplete",
          message: `it ends at position ${end}, and what was acknowledged reaches to ${acknowledged}`,
        })
      }
      // In one step with the last look: whatever interrupts from here on, the end of it all closes it.
      opened = next
      follow(next.stores)
      return end
    }).pipe(Effect.onError(() => Scope.close(next.scope, Exit.void)))
  })

  const reopen = Effect.fnUntraced(function* (why: string, delayMillis: number) {
    const begin = `the store stopped writing and is being opened again (${why})`
    for (let delay = delayMillis, said = ""; ; delay = later(delay)) {
      if (delay > 0) yield* Effect.sleep(delay)
      const attempt = yield* Effect.result(reopenOnce)
      if (attempt._tag === "Success") return attempt.success
      const { message } = attempt.failure
      refusal = `${begin}; so far it cannot be opened: ${message}`
      if (message !== said) yield* Effect.logError(refusal)
      said = message
      if (isFinal(attempt.failure)) {
        refusal = `the store stopped writing (${why}) and is not opened again: ${message}`
        return yield* Effect.never
      }
    }
  })

  const monotonicMillis = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)

  yield* Effect.gen(function* () {
    let delay = 0
    while (true) {
      const upSince = monotonicMillis()
      const why = yield* opened.stores.logs.stopped ?? Effect.never
      if (monotonicMillis() - upSince >= steadyMillis) delay = 0
      refusal = `the store stopped writing and is being opened again (${why})`
      Latch.closeUnsafe(isUp)
      yield* Effect.logError(refusal)
      yield* Scope.close(opened.scope, Exit.void)
      const end = yield* reopen(why, delay)
      reached(end)
      yield* Effect.forEach(listeners, (listener) => listener(end), { discard: true })
      Latch.openUnsafe(isUp)
      yield* Effect.logInfo("the store is open again, with everything that was acknowledged")
      delay = later(delay)
    }
  }).pipe(Effect.forkScoped)

  return {
    logs: {
      info,
      append: (requests) =>
        Effect.map(
          write("append", ({ logs }) => logs.append(requests)),
          (result) => {
            reached(result.positions.at(-1))
            return result
          },
        ),
      accept: (log, messages) =>
        Effect.map(
          write("accept", ({ logs }) => logs.accept(log, messages)),
          (result) => {
            reached(result.accepted.at(-1)?.position)
            return result
          },
        ),
      acceptBlocks: (log, from, blocks) =>
        Effect.map(
          write("accept", ({ logs }) => acceptBlocks(logs, log, from, blocks)),
          (result) => {
            reached(result.count === 0 ? undefined : result.position + result.count - 1)
            return result
          },
        ),
      tombstone: (request) =>
        Effect.map(
          write("tombstone", ({ logs }) => logs.tombstone(request)),
          (result) => {
            reached(result.marker?.position)
            return result
          },
        ),
      discard: (log, from) => write("discard", ({ logs }) => logs.discard(log, from)),
      readLog: (log, from, limit) => read("readLog", ({ logs }) => logs.readLog(log, from, limit)),
      readBlocks: (log, from, limit) => read("readLog", ({ logs }) => readBlocks(logs, log, from, limit)),
      readJournal: (after, filter, limit) => read("readJournal", ({ logs }) => logs.readJournal(after, filter, limit)),
      head: (log) => read("head", ({ logs }) => logs.head(log)),
      heads: read("heads", ({ logs }) => logs.heads),
      end: read("end", ({ logs }) => logs.end),
      check: Effect.suspend(() =>
        Latch.isOpen(isUp)
          ? cutOff(opened.stores.logs.check, () =>
              Effect.fail(new StorageFailed({ operation: "check", message: closedUnder })),
            )
          : refused("check"),
      ),
      onReopened: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
      ...(opened.stores.logs.onMoved === undefined ? {} : { onMoved: (listener) => added(moved, listener) }),
    },
    queues: {
      apply: (operations) => write("apply", ({ queues }) => queues.apply(operations)),
      page: (queue, after, limit) => read("page", ({ queues }) => queues.page(queue, after, limit)),
      queues: read("queues", ({ queues }) => queues.queues),
      ...(opened.stores.queues.onEnqueued === undefined ? {} : { onEnqueued: (listener) => added(enqueued, listener) }),
    },
    cursors: {
      claim: (claim) => write("claim", ({ cursors }) => cursors.claim(claim)),
      move: (moves) => write("move", ({ cursors }) => cursors.move(moves)),
      reset: (request) => write("reset", ({ cursors }) => cursors.reset(request)),
      delete: (name) => write("delete", ({ cursors }) => cursors.delete(name)),
      cursors: read("cursors", ({ cursors }) => cursors.cursors),
    },
    records: {
      write: (change) => write("write", ({ records }) => records.write(change)),
      records: (prefix) => read("records", ({ records }) => records.records(prefix)),
    },
    // What was held is lost when the store is closed, and may be held again when it is open.
    holders: {
      hold: (held, takeOver) => read("hold", ({ holders = alone }) => holders.hold(held, takeOver)),
      elsewhere: (kind) => read("elsewhere", ({ holders = alone }) => holders.elsewhere(kind)),
    },
  }
})

const closedUnder = "the store was closed meanwhile"

/** Does something else where a call is interrupted, and its caller is not: a pool that closes interrupts who uses it. */
const cutOff = <A, E, R, B, E2, R2>(
  call: Effect.Effect<A, E, R>,
  instead: () => Effect.Effect<B, E2, R2>,
): Effect.Effect<A | B, E | E2, R | R2> =>
  Effect.catchCause(call, (cause): Effect.Effect<B, E | E2, R2> =>
    Cause.hasInterruptsOnly(cause) ? instead() : Effect.failCause(cause),
  )

const added = <A>(set: Set<A>, one: A): (() => void) => {
  set.add(one)
  return () => void set.delete(one)
}

/** The stores of a layer, which is built again whenever they have given up. */
export const layer = (open: Open, options: ReopeningOptions = {}): Layer.Layer<StoreServices, StoreUnusable> =>
  Layer.effectContext(Effect.map(make(open, options), (stores): Context.Context<StoreServices> => toContext(stores)))
