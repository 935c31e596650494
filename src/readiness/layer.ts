/**
 * Readiness over a watched store. Once in a while it takes a turn: it sees by how much the event loop let it wait, has a
 * look at the store (one at a time: a store that does not answer is not asked again), and tells what has changed.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { Unavailable } from "../domain/errors.ts"
import * as gauges from "../domain/gauges.ts"
import { failureOf } from "../storage/parts/failure.ts"
import { LogStore } from "../storage/LogStore.ts"
import { Readiness, type ReadinessState } from "./Readiness.ts"
import { ReadinessSettings } from "./ReadinessSettings.ts"
import { monotonicMillis, StoreWatch } from "./StoreWatch.ts"
import { judge, type Stretch, type Trouble } from "./verdict.ts"

const readyGauge = Metric.gauge("millrace_ready", { description: "1 where the node is ready, else 0" })
const answerGauge = Metric.gauge("millrace_store_answer_seconds", {
  description: "How long the store's threads took to answer when last asked, or take since they are being asked",
})
const writingGauge = Metric.gauge("millrace_commit_under_way_seconds", {
  description: "For how long the oldest commit that is under way has been so; 0 where none is",
})

/** Between two turns, at most; less where little time is allowed for things. */
const turnMillisMax = 1000
/** How long a caller waits for the store's word before the answer is what is known already. */
const patienceMillis = 500

/** A look at the store that is under way. */
interface Look {
  readonly since: number
  readonly done: Deferred.Deferred<void>
}

const make = Effect.gen(function* () {
  const store = yield* LogStore
  const watch = yield* StoreWatch
  const clock = yield* Clock.Clock
  const { stallMillis } = yield* ReadinessSettings
  const scope = yield* Effect.scope
  const turnMillis = Math.min(turnMillisMax, stallMillis / 4)
  const now = () => monotonicMillis(clock)

  const began = now()
  let held: Trouble | undefined
  let look: Look | undefined
  /** How long the last one took. */
  let lookMillis = 0
  let sick: Trouble | undefined
  let wellAt: number | undefined
  let loop: Stretch = { from: began, to: began + turnMillis }
  let heldUp: Stretch | undefined
  let last: ReadinessState | undefined

  const trouble = (at: number): Trouble | undefined =>
    judge(
      {
        now: at,
        held,
        loop,
        heldUp,
        sick,
        wellAt,
        lookingSince: look?.since,
        writingSince: watch.writingSince(),
        failedWrite: watch.failedWrite(),
      },
      { stallMillis, calmMillis: 2 * turnMillis },
    )

  /** The same object for as long as it is the same: the wall clock may be set meanwhile, and that is no change. */
  const state = (): ReadinessState => {
    const at = now()
    const wrong = trouble(at)
    const error = wrong?.error ?? ""
    if (last !== undefined && last.error === error) return last
    const since = Math.round(clock.currentTimeMillisUnsafe() - (at - (wrong?.since ?? at)))
    last =
      wrong === undefined
        ? { ready: true, status: "READY", error, since }
        : { ready: false, status: "NOT_READY", error, since }
    return last
  }

  const told = yield* SubscriptionRef.make(state())
  const tell = Effect.suspend(() => {
    const after = state()
    return after === SubscriptionRef.getUnsafe(told)
      ? Effect.succeed(after)
      : Effect.as(SubscriptionRef.set(told, after), after)
  })

  const settle = (exit: Exit.Exit<void, unknown>): void => {
    if (Exit.isSuccess(exit)) {
      sick = undefined
      wellAt = now()
    } else {
      const { message } = failureOf(exit.cause, "check") as { readonly message: string }
      if (sick?.error !== message) sick = { error: message, since: now() }
    }
  }

  const services = yield* Effect.context()
  yield* gauges.watch(readyGauge, services, () => (state().ready ? 1 : 0))
  yield* gauges.watch(answerGauge, services, () => (look === undefined ? lookMillis : now() - look.since) / 1000)
  yield* gauges.watch(writingGauge, services, () => (now() - (watch.writingSince() ?? now())) / 1000)

  /** Has a look at the store, or joins the one that is under way. */
  const lookAtStore = Effect.suspend(() => {
    if (look !== undefined) return Effect.succeed(look)
    const mine: Look = { since: now(), done: Deferred.makeUnsafe() }
    look = mine
    return Effect.exit(store.check).pipe(
      Effect.flatMap((exit) => {
        look = undefined
        lookMillis = now() - mine.since
        settle(exit)
        return Effect.andThen(tell, Deferred.succeed(mine.done, undefined))
      }),
      Effect.forkIn(scope, { startImmediately: true }),
      Effect.as(mine),
    )
  })

  const current = Effect.gen(function* () {
    const { done } = yield* lookAtStore
    yield* Effect.timeoutOption(Deferred.await(done), patienceMillis)
    return yield* tell
  })

  yield* Effect.gen(function* () {
    while (true) {
      yield* lookAtStore
      yield* tell
      yield* Effect.sleep(turnMillis)
      const at = now()
      if (at - loop.to > stallMillis) heldUp = { from: loop.from, to: at }
      loop = { from: at, to: at + turnMillis }
    }
  }).pipe(Effect.forkScoped)

  const remarking = new Set<{ readonly remarks: Effect.Effect<ReadonlyArray<string>> }>()

  return Readiness.of({
    current,
    known: state,
    changes: SubscriptionRef.changes(told),
    check: Effect.flatMap(current, ({ error, ready }) => (ready ? Effect.void : new Unavailable({ message: error }))),
    hold: (reason) =>
      Effect.suspend(() => {
        held = reason === undefined ? undefined : { error: reason, since: now() }
        return Effect.asVoid(tell)
      }),
    remark: (remarks) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => {
            const mine = { remarks }
            remarking.add(mine)
            return mine
          }),
          (mine) => Effect.sync(() => remarking.delete(mine)),
        ),
      ),
    remarks: Effect.suspend(() =>
      Effect.map(
        Effect.forEach([...remarking], ({ remarks }) => remarks),
        (all) => all.flat(),
      ),
    ),
  })
})

/** The readiness of the node whose stores these are. */
export const layer: Layer.Layer<Readiness, never, LogStore | StoreWatch> = Layer.effect(Readiness, make)
