/**
 * A node and its clients on a machine whose clock is set by hours, forwards and backwards: `clockApp.ts DIRECTORY`, with
 * the library of `clock.test.ts` loaded. Prints what came of it as one JSON object.
 */
import { closeSync, openSync, writeSync } from "node:fs"
import { Context, Effect, Fiber, Layer, Logger, Ref, Schedule, Stream } from "effect"
import { RunningNode, layer as nodeLayer, NodeConfig, type NodeConfigText, settings } from "../../src/node/index.ts"
import * as Schema from "effect/Schema"
import { layerQueues, layerTopics } from "../../src/protocol/grpc/index.ts"
import { Queues } from "../../src/queues/index.ts"
import { Readiness } from "../../src/readiness/index.ts"
import { Topics } from "../../src/topics/index.ts"

export interface ClockReport {
  /** How far the clock was set each time, in hours, as the process itself sees it. */
  readonly jumps: ReadonlyArray<number>
  readonly published: number
  /** Offsets that the live subscriber got, in its order. */
  readonly seen: ReadonlyArray<number>
  /** Each item, as often as its taker got it, in its order. */
  readonly taken: ReadonlyArray<string>
  /** Of each publish that was repeated after the jump: whether it was found to be stored. */
  readonly repeated: ReadonlyArray<boolean>
  /** How long the longest step took, in milliseconds. */
  readonly slowestMillis: number
  /** How long an item waited for its second attempt, in milliseconds. */
  readonly backoffMillis: ReadonlyArray<number>
  readonly notReady: ReadonlyArray<string>
  /** The creation times of the messages agree with the clock as it was set. */
  readonly createdInHours: ReadonlyArray<number>
}

const [directory = ""] = process.argv.slice(2)
const jumps = [3, -2, 26, 0]
const backoffMillis = 300

const control = openSync(process.env["CLOCK_CONTROL"]!, "r+")
const setClock = (hours: number): void => {
  const seconds = Buffer.alloc(8)
  seconds.writeBigInt64LE(BigInt(hours * 3600))
  writeSync(control, seconds, 0, 8, 0)
}
const hoursSince = (began: number, at: number): number => Math.round((at - began) / 3_600_000)

const config = Effect.runSync(
  Schema.decodeEffect(NodeConfig)({
    ...(Object.fromEntries(
      Object.entries(settings).map(([name, { initial }]) => [name, initial]),
    ) as never as NodeConfigText),
    data: directory,
    grpc: "127.0.0.1:0",
    admin: "off",
  }),
)

const program = Effect.gen(function* () {
  const { grpc } = yield* RunningNode
  const readiness = yield* Readiness
  const clients = yield* Layer.build(Layer.merge(layerTopics({ url: grpc! }), layerQueues({ url: grpc! })))
  const topics = Context.get(clients, Topics)
  const queues = Context.get(clients, Queues)
  const began = Date.now()
  const notReady: Array<string> = []
  yield* readiness.changes.pipe(
    Stream.runForEach(({ ready, error }) => Effect.sync(() => void (ready || notReady.push(error)))),
    Effect.forkScoped,
  )

  const seen: Array<number> = []
  yield* topics.subscribe("t", { from: "start" }).pipe(
    Stream.runForEach(({ offset }) => Effect.sync(() => seen.push(offset))),
    Effect.forkScoped,
  )
  /** Each item fails once. */
  const taken: Array<string> = []
  const failedAt = new Map<string, number>()
  const waits: Array<number> = []
  const done = yield* Ref.make(0)
  const taking = yield* queues
    .take(
      "q",
      ({ payload }) =>
        Effect.suspend(() => {
          const item = Buffer.from(payload).toString()
          taken.push(item)
          const before = failedAt.get(item)
          if (before === undefined) {
            failedAt.set(item, performance.now())
            return Effect.fail("not yet")
          }
          waits.push(performance.now() - before)
          return Ref.update(done, (count) => count + 1)
        }),
      { backoff: () => backoffMillis },
    )
    .pipe(Effect.forkScoped)

  let published = 0
  let slowestMillis = 0
  const repeated: Array<boolean> = []
  const seenJumps: Array<number> = []
  const createdInHours: Array<number> = []
  const timed = <A, E>(step: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      const from = performance.now()
      return Effect.tap(step, () => {
        slowestMillis = Math.max(slowestMillis, performance.now() - from)
        return Effect.void
      })
    })
  for (const [number, hours] of jumps.entries()) {
    const key = `key ${number}`
    const before = yield* timed(topics.publish("t", `before ${number}`, { key }))
    yield* timed(queues.enqueue("q", `item ${number}`))
    // In the middle of its backoff.
    yield* Effect.sync(() => taken.includes(`item ${number}`)).pipe(
      Effect.repeat({ until: (isTaken) => isTaken, schedule: Schedule.spaced("1 millis") }),
    )
    setClock(hours)
    seenJumps.push(hoursSince(began, Date.now()))
    const again = yield* timed(topics.publish("t", `before ${number}`, { key }))
    repeated.push(again.offset === before.offset && again.createdAt === before.createdAt)
    const after = yield* timed(topics.publish("t", `after ${number}`))
    createdInHours.push(hoursSince(began, after.createdAt))
    published += 2
    yield* timed(topics.fetch("t"))
    yield* timed(queues.enqueue("q", `later ${number}`))
    yield* timed(
      Ref.get(done).pipe(
        Effect.repeat({ until: (count) => count === 2 * (number + 1), schedule: Schedule.spaced("5 millis") }),
      ),
    )
  }
  yield* Effect.sync(() => seen.length).pipe(
    Effect.repeat({ until: (count) => count >= published, schedule: Schedule.spaced("5 millis") }),
  )
  yield* Fiber.interrupt(taking)
  const report: ClockReport = {
    jumps: seenJumps,
    published,
    seen,
    taken,
    repeated,
    slowestMillis,
    backoffMillis: waits,
    notReady,
    createdInHours,
  }
  yield* Effect.sync(() => process.stdout.write(JSON.stringify(report)))
})

await Effect.runPromise(
  program.pipe(
    Effect.scoped,
    Effect.timeout("25 seconds"),
    Effect.provide(Layer.provideMerge(nodeLayer(config), Layer.succeed(Logger.LogToStderr, true))),
  ),
)
closeSync(control)
