/**
 * Topics on a disk whose syncs are slow, and then hang: `slowFsyncApp.ts worker|loop PATH`. Measures, and prints what it
 * found as one JSON object. Run with the library of `fsyncFault` loaded.
 */
import { renameSync, writeFileSync } from "node:fs"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { Deferred, Effect, Fiber, Latch, Layer, Stream } from "effect"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import * as Topics from "../../src/topics/index.ts"

export interface SlowFsyncReport {
  /** By how much each sync takes longer. */
  readonly delayMillis: number
  readonly storedMessages: number
  /** Milliseconds from the call of a publish to its answer, at least, while syncs are slow. */
  readonly publishMillisMin: number
  /**
   * The event loop's delay in milliseconds, 99th percentile, in stretches of time under the same load: as many as it
   * takes until one is below 10, at most 15. The machine may be busy with other things; a loop that commits hold up is
   * never below.
   */
  readonly loopDelayMillisP99: ReadonlyArray<number>
  readonly acknowledged: number
  /** Messages that the live subscriber got. */
  readonly live: number
  /** How often all that is stored was replayed meanwhile. */
  readonly replays: number
  /**
   * While a sync hung (in a worker only): whether all that is stored was replayed, and whether the publish was answered
   * before it ended.
   */
  readonly whileHanging:
    | { readonly replayed: number; readonly wasAcknowledged: boolean; readonly live: number }
    | undefined
}

const delayMillis = 50
const storedMessages = 10_000
const publishers = 10
const stretchesMax = { worker: 15, loop: 1 }
const stretchMillis = 1500
const loopDelayMillisMax = 10
const replayPauseMillis = 200
/** Between two looks at the event loop. What it reports is the time between them, which is this where nothing delays. */
const resolutionMillis = 5

const setFault = (fault: string): void => {
  const path = process.env["FSYNC_FAULT_FILE"]!
  writeFileSync(`${path}.new`, fault)
  renameSync(`${path}.new`, path)
}

const replay = (topics: Topics.Topics["Service"]) =>
  topics.subscribe("stored", { from: "start" }).pipe(Stream.take(storedMessages), Stream.runCount)

/** Runs an effect again and again, with a pause after each time, until the latch is closed; counts. */
const countWhile = <E>(
  isOn: Latch.Latch,
  once: Effect.Effect<unknown, E>,
  pauseMillis: number,
): Effect.Effect<number, E> =>
  Effect.gen(function* () {
    let count = 0
    while (Latch.isOpen(isOn)) {
      yield* once
      yield* Effect.sleep(pauseMillis)
      count++
    }
    return count
  })

const mode = process.argv[2] === "worker" ? "worker" : "loop"
const path = process.argv[3] ?? ""

const measure = Effect.gen(function* () {
  const topics = yield* Topics.Topics
  const drafts = Array.from({ length: storedMessages }, (_, i) => ({ topic: "stored", payload: `${i}`.padEnd(100) }))
  yield* topics.publishAll(drafts)

  let live = 0
  const isLive = yield* Deferred.make<void>()
  yield* topics.subscribe("live", { onLive: Effect.asVoid(Deferred.succeed(isLive, undefined)) }).pipe(
    Stream.runForEachArray((messages) => {
      live += messages.length
      return Effect.void
    }),
    Effect.forkScoped,
  )
  yield* Deferred.await(isLive)

  setFault(`delay ${delayMillis}`)
  let publishMillisMin = Number.POSITIVE_INFINITY
  const publish = Effect.gen(function* () {
    const begun = performance.now()
    yield* topics.publish("live", "a message")
    publishMillisMin = Math.min(publishMillisMin, performance.now() - begun)
  })
  const isOn = yield* Latch.make(true)
  const publishing = yield* Effect.forkScoped(
    Effect.forEach(Array.from({ length: publishers }), () => countWhile(isOn, publish, 1), {
      concurrency: "unbounded",
    }),
  )
  const replaying = yield* Effect.forkScoped(
    countWhile(isOn, mode === "worker" ? replay(topics) : Effect.void, replayPauseMillis),
  )
  const loopDelayMillisP99: Array<number> = []
  while (loopDelayMillisP99.length < stretchesMax[mode]) {
    const begun = performance.now()
    const delay = monitorEventLoopDelay({ resolution: resolutionMillis })
    delay.enable()
    yield* Effect.sleep(stretchMillis)
    delay.disable()
    // Without one look the loop did not come round in all this time.
    const lookMillis = delay.count === 0 ? performance.now() - begun : delay.percentile(99) / 1e6
    loopDelayMillisP99.push(lookMillis - resolutionMillis)
    if (lookMillis - resolutionMillis < loopDelayMillisMax) break
  }
  Latch.closeUnsafe(isOn)
  const counts = yield* Fiber.join(publishing)
  const acknowledged = counts.reduce((sum, count) => sum + count, 0)
  const replays = yield* Fiber.join(replaying)
  return { topics, report: { publishMillisMin, loopDelayMillisP99, acknowledged, live: () => live, replays } }
})

const program = Effect.gen(function* () {
  const { topics, report } = yield* measure
  const live = report.live()
  let whileHanging: SlowFsyncReport["whileHanging"] | undefined
  if (mode === "worker") {
    setFault("hold")
    const publishing = yield* Effect.forkScoped(topics.publish("live", "a message"), { startImmediately: true })
    const replayed = yield* replay(topics)
    const wasAcknowledged = publishing.pollUnsafe() !== undefined
    whileHanging = { replayed, wasAcknowledged, live: report.live() - live }
    setFault("none")
    yield* Fiber.join(publishing)
  }
  const result: SlowFsyncReport = { delayMillis, storedMessages, ...report, live, whileHanging }
  yield* Effect.sync(() => process.stdout.write(JSON.stringify(result)))
})

const store = mode === "worker" ? Sqlite.layer({ path }) : Sqlite.layerOnLoop({ path })
await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Topics.layer.pipe(Layer.provide(store)))))
