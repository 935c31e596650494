/**
 * The named cursors of a node: who holds which, and their moves on the way to the store.
 *
 *     handled ──▶ place of a hold ─┐
 *     handled ──▶ place of a hold ─┼─▶ one commit, then a pause, then the next
 *
 * Nobody waits for a move: the newest place of each hold is committed while its consumer goes on, and places that a
 * consumer passes meanwhile are never written. Between two commits there is a pause, so that consumers that keep up with
 * publishers do not take every second turn of the disk; whoever ends does not wait for it.
 *
 * There is one hold of a name in a node, and, where nodes share a store, one node that holds it (`Holders`): a courtesy, so
 * that work is not done twice. Across nodes, and for holds that do not know yet that they were replaced, the epoch decides,
 * in the store.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import {
  CursorLost,
  type CursorMismatch,
  CursorTaken,
  CursorUnknown,
  type StorageFailed,
  Unavailable,
  type WriteFailure,
} from "../../domain/errors.ts"
import { format } from "../../domain/NodeId.ts"
import { type CursorClaim, CursorStore, type StoredCursor } from "../../storage/CursorStore.ts"
import { failureOf } from "../../storage/parts/failure.ts"
import { type Hold as NodeHold, Holders, isHold } from "../../storage/Holders.ts"
import { Progress } from "./Progress.ts"

/** Why a hold ends. */
export type HoldError = CursorLost | WriteFailure | Unavailable

/** A cursor while somebody holds it. */
export class Hold {
  readonly name: string
  readonly epoch: number
  readonly progress: Progress
  /** Fails when the hold ends. */
  readonly ended = Deferred.makeUnsafe<never, HoldError>()
  /** Where the cursor is in the store, as far as this hold has brought it. */
  committed: number
  /** Why it can move the cursor no more, if so. */
  failure: Exclude<HoldError, Unavailable> | undefined

  constructor(name: string, epoch: number, progress: Progress) {
    this.name = name
    this.epoch = epoch
    this.progress = progress
    this.committed = progress.place
  }

  /** Tells the holder to end. What it has handled can still be committed. */
  end(error: HoldError): void {
    Deferred.doneUnsafe(this.ended, Effect.fail(error))
  }

  /** Ends it: it can move the cursor no more. */
  fail(error: Exclude<HoldError, Unavailable>): void {
    this.failure ??= error
    this.end(error)
  }
}

/** Whoever waits until a hold's cursor has got to a place, or cannot. */
interface Waiter {
  readonly hold: Hold
  readonly place: number
  readonly resume: (result: Effect.Effect<void, HoldError>) => void
}

export interface CursorKeeper {
  /** Takes a cursor, made where it does not exist, for the life of the scope. */
  readonly hold: (
    claim: Omit<CursorClaim, "at">,
    takeOver: boolean,
  ) => Effect.Effect<
    { readonly hold: Hold; readonly position: number },
    CursorTaken | CursorMismatch | WriteFailure | Unavailable,
    Scope.Scope
  >
  /** The same hold again, under its epoch: for a holder whose connection was lost. It has got messages up to `position`. */
  readonly resume: (
    name: string,
    epoch: number,
    position: number,
  ) => Effect.Effect<Hold, CursorLost | WriteFailure | Unavailable, Scope.Scope>
  /** A hold has got further; that is committed soon. */
  readonly moved: (hold: Hold) => void
  /** Waits until the cursor is where its hold has got to; fails where it cannot get there. */
  readonly settle: (hold: Hold) => Effect.Effect<void, HoldError>
  /** Puts a cursor somewhere; its holder ends. */
  readonly reset: (name: string, position: number) => Effect.Effect<void, CursorUnknown | WriteFailure>
  /** Removes a cursor; its holder ends. */
  readonly delete: (name: string) => Effect.Effect<void, CursorUnknown | WriteFailure>
  readonly cursors: Effect.Effect<ReadonlyArray<StoredCursor & { readonly isHeld: boolean }>, StorageFailed>
}

const lost = (cursor: string, how: string): CursorLost =>
  new CursorLost({ cursor, message: `the cursor ${JSON.stringify(cursor)} ${how}` })

const unknown = (cursor: string): CursorUnknown =>
  new CursorUnknown({ cursor, message: `there is no cursor ${JSON.stringify(cursor)}` })

const takenOver = "was taken over by somebody else"
/** All that the store tells of it. */
const noMoreOurs = "was taken over, reset or deleted"
const closing = () => new Unavailable({ message: "the node is closing" })

export const make = Effect.fnUntraced(function* (
  pauseMillis: number,
): Effect.fn.Return<CursorKeeper, never, CursorStore | Holders | Scope.Scope> {
  const store = yield* CursorStore
  const holders = yield* Holders
  const clock = yield* Clock.Clock
  const runFork = Effect.runForkWith(yield* Effect.context())
  /** Whoever takes, resets or deletes a cursor does so alone: the last one in the store is the last one here. */
  const lock = yield* Semaphore.make(1)
  const holds = new Map<string, Hold>()
  const moving = new Set<Hold>()
  let waiters: Array<Waiter> = []
  let isCommitting = false
  let isScheduled = false
  let pause: NodeJS.Timeout | undefined
  let isClosed = false

  /** Not at once: consumers that have got further at the same time shall share the commit. */
  const schedule = (): void => {
    if (isScheduled || isCommitting) return
    if (pause !== undefined) {
      if (waiters.length === 0) return
      clearTimeout(pause)
      pause = undefined
    }
    isScheduled = true
    queueMicrotask(() => {
      isScheduled = false
      pump()
    })
  }

  const pump = (): void => {
    const batch = [...moving].filter((hold) => hold.failure === undefined && hold.progress.place > hold.committed)
    moving.clear()
    if (batch.length === 0) return answer()
    isCommitting = true
    const at = clock.currentTimeMillisUnsafe()
    const moves = batch.map(({ epoch, name, progress }) => ({ name, epoch, position: progress.place, at }))
    runFork(store.move(moves)).addObserver((exit) => {
      isCommitting = false
      for (const [i, hold] of batch.entries()) {
        if (Exit.isFailure(exit)) hold.fail(failureOf(exit.cause, "move"))
        else if (exit.value[i] === true) hold.committed = moves[i]!.position
        else hold.fail(lost(hold.name, noMoreOurs))
      }
      answer()
      if (waiters.length > 0) return schedule()
      pause = setTimeout(() => {
        pause = undefined
        if (moving.size > 0) schedule()
      }, pauseMillis)
    })
  }

  /** Answers those who have waited long enough; the others' holds move on. */
  const answer = (): void => {
    const before = waiters
    waiters = []
    for (const waiter of before) {
      const { hold, place, resume } = waiter
      if (hold.failure !== undefined) resume(Effect.fail(hold.failure))
      else if (hold.committed >= place) resume(Effect.void)
      else {
        waiters.push(waiter)
        moving.add(hold)
      }
    }
  }

  const settle = (hold: Hold): Effect.Effect<void, HoldError> =>
    Effect.callback((resume) => {
      waiters.push({ hold, place: hold.progress.place, resume })
      moving.add(hold)
      schedule()
    })

  /** Commits what all holds have got to, or finds out that some cannot, which ends those. */
  const settleAll = Effect.suspend(() =>
    Effect.forEach([...holds.values()], (hold) => Effect.ignore(settle(hold)), {
      concurrency: "unbounded",
      discard: true,
    }),
  )

  const release = (hold: Hold): Effect.Effect<void> =>
    Effect.map(Effect.ignore(settle(hold)), () => {
      if (holds.get(hold.name) === hold) holds.delete(hold.name)
    })

  /** Puts a hold in the place of the one before it, which ends, after what it has handled was committed. */
  const replace = <E>(
    name: string,
    make: (current: Hold | undefined) => Effect.Effect<Hold, E>,
  ): Effect.Effect<Hold, E | Unavailable, Scope.Scope> =>
    Effect.acquireRelease(
      lock.withPermit(
        Effect.gen(function* () {
          if (isClosed) return yield* closing()
          const current = holds.get(name)
          const hold = yield* make(current)
          current?.fail(lost(name, takenOver))
          holds.set(name, hold)
          return hold
        }),
      ),
      release,
    )

  const among = (name: string) => ({ kind: "cursor", name }) as const

  /** Whether an epoch is still the cursor's: a move that goes nowhere. */
  const isOurs = Effect.fnUntraced(function* (name: string, epoch: number) {
    const [accepted] = yield* store.move([{ name, epoch, position: 0, at: clock.currentTimeMillisUnsafe() }])
    return accepted === true
  })

  /**
   * Uses a cursor that this node holds, if no other node does or it is taken over. What that begins lasts as long as the
   * scope; where it fails, nothing is left of it.
   */
  const amongNodes = <A, E>(
    name: string,
    takeOver: boolean,
    use: (held: NodeHold) => Effect.Effect<A, E, Scope.Scope>,
  ): Effect.Effect<A, E | CursorTaken | StorageFailed, Scope.Scope> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const scope = yield* Effect.acquireRelease(Scope.make(), (made, exit) => Scope.close(made, exit))
        const using = Effect.gen(function* () {
          const held = yield* holders.hold(among(name), takeOver)
          if (isHold(held)) return yield* use(held)
          return yield* new CursorTaken({
            cursor: name,
            message: `the cursor ${JSON.stringify(name)} is held by somebody else, through node ${format(held)}`,
          })
        })
        return yield* Effect.onError(restore(Scope.provide(using, scope)), () => Scope.close(scope, Exit.void))
      }),
    )

  /** What this node held is lost to it: it is held again where that is possible and nobody had it meanwhile. */
  const keep = Effect.fnUntraced(function* (hold: Hold, first: NodeHold) {
    const { epoch, name } = hold
    let held = first
    while (true) {
      yield* held.lost
      const again = yield* holders.hold(among(name), false)
      if (!isHold(again)) return hold.end(lost(name, `was taken over through node ${format(again)}`))
      if (!(yield* isOurs(name, epoch))) return hold.end(lost(name, noMoreOurs))
      held = again
    }
  })

  /** Ends a hold when its node has lost the cursor. */
  const watch = (hold: Hold, held: NodeHold): Effect.Effect<void, never, Scope.Scope> =>
    keep(hold, held).pipe(
      Effect.catch((error) => Effect.sync(() => hold.end(error))),
      Effect.forkScoped({ startImmediately: true }),
      Effect.asVoid,
    )

  /** Whoever holds it at another node is told that it is lost. */
  const loseElsewhere = (name: string): Effect.Effect<void> =>
    Effect.ignore(Effect.scoped(holders.hold(among(name), true)))

  const isLive = (hold: Hold | undefined): hold is Hold =>
    hold !== undefined && hold.failure === undefined && !Deferred.isDoneUnsafe(hold.ended)

  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      isClosed = true
      yield* settleAll
      for (const hold of holds.values()) hold.end(closing())
      // What was being handled when its holder was told to end may have been handled all the same.
      yield* Effect.yieldNow
      yield* settleAll
      clearTimeout(pause)
    }),
  )

  return {
    hold: (claim, takeOver) =>
      amongNodes(
        claim.name,
        takeOver,
        Effect.fnUntraced(function* (held) {
          let position = 0
          const hold = yield* replace(
            claim.name,
            Effect.fnUntraced(function* (current) {
              if (isLive(current) && !takeOver) {
                return yield* new CursorTaken({
                  cursor: claim.name,
                  message: `the cursor ${JSON.stringify(claim.name)} is held by somebody else`,
                })
              }
              if (current !== undefined) yield* Effect.ignore(settle(current))
              const claimed = yield* store.claim({ ...claim, at: clock.currentTimeMillisUnsafe() })
              position = claimed.position
              return new Hold(claim.name, claimed.epoch, new Progress(position, position))
            }),
          )
          yield* watch(hold, held)
          return { hold, position }
        }),
      ),

    resume: Effect.fnUntraced(function* (name, epoch, position) {
      // Who has the cursor's last epoch has it, wherever its last connection went to.
      if (!(yield* isOurs(name, epoch))) return yield* lost(name, noMoreOurs)
      const resumed = amongNodes(
        name,
        true,
        Effect.fnUntraced(function* (held) {
          const hold = yield* replace(
            name,
            Effect.fnUntraced(function* (current) {
              if (current !== undefined) yield* Effect.ignore(settle(current))
              if (!(yield* isOurs(name, epoch))) return yield* lost(name, noMoreOurs)
              return new Hold(name, epoch, new Progress(position, 0))
            }),
          )
          yield* watch(hold, held)
          return hold
        }),
      )
      return yield* Effect.catchTag(resumed, "CursorTaken", ({ message }) => Effect.fail(new Unavailable({ message })))
    }),

    moved: (hold) => {
      moving.add(hold)
      schedule()
    },

    settle,

    reset: Effect.fnUntraced(function* (name, position) {
      yield* lock.withPermit(
        Effect.gen(function* () {
          const isThere = yield* store.reset({ name, position, at: clock.currentTimeMillisUnsafe() })
          if (!isThere) return yield* unknown(name)
          holds.get(name)?.fail(lost(name, "was reset"))
        }),
      )
      yield* loseElsewhere(name)
    }),

    delete: Effect.fnUntraced(function* (name) {
      yield* lock.withPermit(
        Effect.gen(function* () {
          if (!(yield* store.delete(name))) return yield* unknown(name)
          holds.get(name)?.fail(lost(name, "was deleted"))
        }),
      )
      yield* loseElsewhere(name)
    }),

    cursors: Effect.gen(function* () {
      yield* settleAll
      const elsewhere = yield* holders.elsewhere("cursor")
      return (yield* store.cursors).map((cursor) => ({
        ...cursor,
        isHeld: isLive(holds.get(cursor.name)) || elsewhere.has(cursor.name),
      }))
    }),
  }
})
