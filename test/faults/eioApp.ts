/**
 * A bus on a disk that fails with EIO: `eioApp.ts DIRECTORY CASES`, with the library of `eioFault` loaded. Goes through
 * the cases (a JSON array), each with a store of its own, and prints what came of each as one JSON object a line.
 */
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from "node:fs"
import { join } from "node:path"
import { Context, Effect, Exit, Fiber, Layer, Logger, Schedule, Scope, Stream } from "effect"
import * as Queues from "../../src/queues/index.ts"
import * as Lmdb from "../../src/storage/lmdb/index.ts"
import * as LmdbStores from "../../src/storage/lmdb/LmdbStores.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import * as SqliteStores from "../../src/storage/sqlite/SqliteStores.ts"
import { format } from "../../src/testing/history.ts"
import * as Topics from "../../src/topics/index.ts"
import type { EioCase, EioOutcome } from "./eioFault.ts"
import { type Bus, type Came, Ledger, nameOf } from "./Ledger.ts"

const [directory = "", casesText = "[]"] = process.argv.slice(2)
const cases: ReadonlyArray<EioCase> = JSON.parse(casesText)

const topics = ["load/a", "load/b"] as const
const queues = ["work/a", "work/b"] as const
/** So many rounds of load, unless the disk fails before; and so many after that. */
const rounds = 12
const roundsAfter = 2

const kinds = { sync: 1, write: 2 } as const
const control = openSync(process.env["EIO_CONTROL"]!, "r+")
const arm = ({ kind, call, lasting }: Pick<EioCase, "kind" | "call" | "lasting">): void => {
  const numbers = Int32Array.of(kinds[kind], call - 1, lasting ? 1 : 0, 0, 0)
  writeSync(control, Buffer.from(numbers.buffer), 0, numbers.byteLength, 0)
}
const disarm = (): void => void writeSync(control, Buffer.alloc(4), 0, 4, 0)
const failures = (): number => {
  const bytes = Buffer.alloc(20)
  readSync(control, bytes, 0, 20, 0)
  return bytes.readInt32LE(16)
}

interface Backend {
  readonly layer: typeof Sqlite.layer
  readonly layerOnLoop: typeof Sqlite.layerOnLoop
  /** Below what opens it again, to see that it really writes no more. */
  readonly layerOnce: typeof SqliteStores.layer
  readonly examine: typeof Sqlite.examine
}

const backends: Readonly<Record<EioCase["backend"], Backend>> = {
  sqlite: { ...Sqlite, layerOnce: SqliteStores.layer },
  lmdb: { ...Lmdb, layerOnce: LmdbStores.layer },
}

/** A store of a case. */
interface Store {
  readonly backend: Backend
  readonly path: string
}

const storage = ({ backend, path }: Store, how: EioCase["how"]) => {
  const options = { path, reserveBytes: 0 }
  if (how === "stays down") return backend.layerOnce(options)
  return how === "comes back" ? backend.layerOnLoop(options) : backend.layer(options)
}

const open = (store: Store, how: EioCase["how"]) =>
  Layer.build(Layer.merge(Topics.layer, Queues.layer).pipe(Layer.provide(storage(store, how))))

const opened = <A, E>(store: Store, use: (bus: Bus) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(open(store, "stays down"), use))

/** Publishes, enqueues and acknowledges, all at once. */
const round = (ledger: Ledger, bus: Bus, number: number): Effect.Effect<ReadonlyArray<Came>> =>
  Effect.all(
    [
      ...topics.map((topic) => ledger.publish(bus, topic, 200)),
      ...queues.map((queue) => ledger.enqueue(bus, queue, 200)),
      ...queues.map((queue) => ledger.ackFront(bus, queue)),
      ...(number % 4 === 3 ? [ledger.delete(bus, topics[0], number - 2, number - 1)] : []),
    ],
    { concurrency: "unbounded" },
  )

const isRefused = (came: ReadonlyArray<Came>): boolean => came.every((each) => each === "StorageFailed")

/** Somebody who follows everything meanwhile. */
const follow = (bus: Bus, seen: Array<string>) =>
  Context.get(bus, Topics.Topics)
    .subscribe("load/#", { from: "start" })
    .pipe(
      Stream.runForEachArray((messages) =>
        Effect.sync(() => {
          for (const { offset, payload, topic } of messages) seen.push(`${topic} ${offset} ${nameOf(payload)}`)
        }),
      ),
      Effect.forkScoped({ startImmediately: true }),
    )

const findingsOf = ({ backend, path }: Store) =>
  Effect.map(Stream.runCollect(backend.examine(path)), (events) =>
    events.flatMap((event) => (event._tag === "Found" ? [event.finding.message] : [])),
  )

const run = (each: EioCase, store: Store): Effect.Effect<EioOutcome, unknown> =>
  Effect.gen(function* () {
    const problems: Array<string> = []
    const expect = (holds: boolean, what: string) => void (holds || problems.push(what))
    const ledger = new Ledger(each.planted)
    yield* opened(store, (bus) => Effect.andThen(round(ledger, bus, 1), round(ledger, bus, 2)))

    const scope = yield* Scope.make()
    const seen: Array<string> = []
    let hasFailed = false
    if (each.when === "opening") arm(each)
    const bus = yield* Effect.exit(Scope.provide(open(store, each.how), scope))
    if (Exit.isSuccess(bus)) {
      const { check, heads } = Context.get(bus.value, Topics.Topics)
      const following = yield* Scope.provide(follow(bus.value, seen), scope)
      if (each.when === "load") arm(each)
      for (let number = 3; number < rounds && failures() === 0; number++) yield* round(ledger, bus.value, number)
      hasFailed = failures() > 0
      if (hasFailed && each.how === "stays down" && each.planted === undefined) {
        for (let i = 0; i < roundsAfter; i++) {
          expect(isRefused(yield* round(ledger, bus.value, rounds + i)), "it goes on to write")
        }
        expect(Exit.isFailure(yield* Effect.exit(check)), "it says that it is well")
        expect(ledger.unknown > 0 || each.when === "opening", "nobody was told that the outcome is unknown")
      }
      if (hasFailed && each.how !== "stays down") {
        if (each.lasting) {
          // Nothing that is read: that waits for the store to be back.
          const came = yield* Effect.all([
            ledger.publish(bus.value, topics[0], 200),
            ledger.enqueue(bus.value, queues[0], 200),
          ])
          expect(isRefused(came), `it goes on to write on a broken disk: ${came.join(", ")}`)
          disarm()
        }
        yield* check.pipe(Effect.retry(Schedule.spaced("5 millis")))
        for (let i = 1; i <= roundsAfter; i++) {
          const came = yield* round(ledger, bus.value, rounds + i)
          expect(
            came.every((one) => one === "ok" || one === "empty"),
            `it is back, and still fails: ${came.join(", ")}`,
          )
        }
        const stored = (yield* heads).filter(({ topic }) => topic.startsWith("load/"))
        const all = stored.reduce((sum, { offset }) => sum + offset, 0)
        yield* Effect.sync(() => seen.length).pipe(
          Effect.repeat({ until: (count) => count >= all, schedule: Schedule.spaced("5 millis") }),
        )
        expect(seen.length === all && new Set(seen).size === all, "the subscriber did not get each message once")
      }
      expect(following.pollUnsafe() === undefined, "the subscriber was cut off")
      yield* Fiber.interrupt(following)
    }
    yield* Scope.close(scope, Exit.void)
    const injected = failures()
    disarm()

    const final = yield* opened(store, (bus) =>
      Effect.gen(function* () {
        const came = yield* round(ledger, bus, 100)
        expect(
          came.every((one) => one === "ok" || one === "empty"),
          `it was opened anew, and still fails: ${came.join(", ")}`,
        )
        return yield* ledger.readFinal(bus)
      }),
    )
    for (const finding of yield* findingsOf(store)) problems.push(`the store is damaged: ${finding}`)
    return {
      case: each,
      injected,
      hasFailed,
      unknown: ledger.unknown,
      acknowledged: ledger.acknowledged,
      verdict: format(ledger.verdict(final)),
      problems,
    }
  })

const program = Effect.forEach(
  cases,
  (each, number) =>
    Effect.gen(function* () {
      const folder = join(directory, `case-${number}`)
      mkdirSync(folder)
      const outcome = yield* run(each, {
        backend: backends[each.backend],
        path: join(folder, `bus.${each.backend}`),
      }).pipe(
        Effect.timeout("30 seconds"),
        Effect.catchCause((cause) => Effect.succeed({ case: each, crashed: String(cause) })),
      )
      disarm()
      rmSync(folder, { recursive: true })
      yield* Effect.sync(() => process.stdout.write(`${JSON.stringify(outcome)}\n`))
    }),
  { discard: true },
)

// What is printed are the outcomes alone.
await Effect.runPromise(program.pipe(Effect.provide(Layer.succeed(Logger.LogToStderr, true))))
closeSync(control)
