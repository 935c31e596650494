/**
 * Kills the daemon under load, again and again, and looks at what is left.
 *
 * Four publishers and four subscribers are clients in this process; the daemon is a process of its own. Each round
 * starts it on the data that is there, waits until something is acknowledged, and kills it at a random moment within
 * the load; now and then also while it is starting. In the end everything stored is read, and the history checker
 * compares it with what was acknowledged and with what the subscribers saw, across all kills.
 */
import { Cause, Context, Effect, Exit, Fiber, Latch, Layer, Random, type Scope, Stream } from "effect"
import type { StoreUnusable } from "../../src/domain/errors.ts"
import { defaultNodeId } from "../../src/domain/NodeId.ts"
import { type GrpcTopicsOptions, layerTopics } from "../../src/protocol/grpc/index.ts"
import type { ExaminationEvent } from "../../src/storage/Examination.ts"
import * as Lmdb from "../../src/storage/lmdb/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import { check, type Verdict } from "../../src/testing/history.ts"
import { Reader, type ReaderOptions, type Stored, storedOf } from "../../src/testing/reader.ts"
import { Topics } from "../../src/topics/Topics.ts"
import type { PostgresServer } from "../support/postgresServer.ts"
import * as Daemon from "./Daemon.ts"
import { Publisher, type Traffic } from "./Load.ts"

export interface KillsOptions extends Daemon.DaemonOptions {
  readonly rounds: number
  /** Decides when kills happen. */
  readonly seed: number
  /** The server that the daemon's store is in, where it is in one: then that is killed instead of the daemon. */
  readonly server?: Pick<PostgresServer, "kill" | "start"> | undefined
  /** Of the store in the end, where it is not in the daemon's files. */
  readonly examination?: Stream.Stream<ExaminationEvent, StoreUnusable> | undefined
  /** Told after each round how many messages were acknowledged in it. */
  readonly onRound?: ((round: number, acknowledged: number) => void) | undefined
}

export interface KillsReport {
  readonly seed: number
  /** How many messages were acknowledged in each round: a round without any would prove nothing. */
  readonly acknowledged: ReadonlyArray<number>
  /** Attempts whose outcome stayed unknown, and attempts that changed nothing. */
  readonly unknown: number
  readonly failed: number
  readonly stored: number
  /** Kills while the daemon was starting. */
  readonly killedStarting: number
  readonly verdict: Verdict
  /** Batches of which only a part is stored. */
  readonly torn: number
  /** What is wrong with the store; nothing where it is whole. */
  readonly corruption: ReadonlyArray<string>
  /** How the daemon ended when it was told to, after all. */
  readonly ended: { readonly code: number | null; readonly signal: NodeJS.Signals | null }
  readonly isClean: boolean
}

const publishersCount = 4
/** How long the load goes on before a kill, and a start before one, in milliseconds. */
const loadMillis = { min: 20, max: 300 }
const startMillis = { min: 0, max: 400 }
/** Of so many starts one is cut short. */
const startKilledEvery = 5
/** How long the first acknowledgement of a round may take, and readers to see the last message, in milliseconds. */
const patienceMillis = 60_000

interface Round {
  readonly loadMillis: number
  /** Present where the start after the round is cut short. */
  readonly startMillis: number | undefined
}

/** When to kill: all drawn beforehand, so that a seed gives the same moments again. */
const plan = ({ rounds, seed }: KillsOptions): Effect.Effect<ReadonlyArray<Round>> =>
  Effect.forEach(Array.from({ length: rounds }), () =>
    Effect.gen(function* () {
      const load = yield* Random.nextIntBetween(loadMillis.min, loadMillis.max)
      const isCutShort = (yield* Random.nextIntBetween(0, startKilledEvery)) === 0
      const start = yield* Random.nextIntBetween(startMillis.min, startMillis.max)
      return { loadMillis: load, startMillis: isCutShort ? start : undefined }
    }),
  ).pipe(Random.withSeed(seed))

/** A client with a connection of its own. */
const connect = (
  url: string,
  options: Partial<GrpcTopicsOptions> = {},
): Effect.Effect<Topics["Service"], never, Scope.Scope> =>
  Layer.build(Layer.fresh(layerTopics({ url, ...options }))).pipe(
    Effect.map((services) => Context.get(services, Topics)),
    Effect.orDie,
  )

const readers: ReadonlyArray<ReaderOptions & { readonly reconnects: boolean }> = [
  { name: "all from the start", filter: "load/#", from: "start", reconnects: true },
  { name: "one topic from an offset", filter: "load/c", from: 1, reconnects: true },
  { name: "a filter from the end", filter: "load/c/+", from: "end", reconnects: true },
  { name: "all, resumed by the application", filter: "load/#", from: "cursor", reconnects: false },
].map((reader) => ({ ...reader, from: reader.from as ReaderOptions["from"], origin: defaultNodeId, pace: "fast" }))

/** Follows for ever; where its client gives up, it goes on from what it has seen when the node is up again. */
const follow = (reader: Reader, topics: Topics["Service"], { isUp }: Traffic): Effect.Effect<never> =>
  Effect.andThen(Latch.await(isUp), reader.run).pipe(
    Effect.catchTag("Unavailable", () => Effect.void),
    Effect.provideService(Topics, topics),
    Effect.orDie,
    Effect.forever,
  )

/** Everything stored, log by log. */
const readAll = Effect.fnUntraced(function* (topics: Topics["Service"]) {
  const all: Array<Stored> = []
  for (const { topic, origin, offset: head } of yield* topics.heads) {
    for (let from = 1; from <= head;) {
      const page = yield* topics.fetch(topic, { origin, from, limit: 10_000 })
      if (page.length === 0) break
      for (const message of page) all.push(storedOf(message))
      from += page.length
    }
  }
  return all
})

/** What an examination finds in a store. */
export const findingsOf = (
  events: Stream.Stream<ExaminationEvent, StoreUnusable>,
): Effect.Effect<ReadonlyArray<string>> =>
  Stream.runCollect(events).pipe(
    Effect.orDie,
    Effect.map((all) => all.flatMap((event) => (event._tag === "Found" ? [event.finding.message] : []))),
  )

const countTorn = (batches: ReadonlyArray<ReadonlyArray<string>>, final: ReadonlyArray<Stored>): number => {
  const contents = new Set(final.map(({ content }) => content))
  return batches.filter((batch) => {
    const stored = batch.filter((content) => contents.has(content)).length
    return stored > 0 && stored < batch.length
  }).length
}

export const kills = (options: KillsOptions): Effect.Effect<KillsReport, Daemon.DaemonFailed> =>
  Effect.gen(function* () {
    const daemon = yield* Daemon.make(options)
    const rounds = yield* plan(options)
    const work = killUnderLoad(daemon, rounds, options)
    return yield* Effect.raceFirst(work, daemon.crashed)
  }).pipe(Effect.scoped)

const killUnderLoad = (
  daemon: Daemon.Daemon,
  rounds: ReadonlyArray<Round>,
  options: KillsOptions,
): Effect.Effect<KillsReport, Daemon.DaemonFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const traffic: Traffic = { isUp: yield* Latch.make(false), acknowledged: yield* Latch.make(false) }
    yield* daemon.start

    const publishers: Array<Publisher> = []
    for (let i = 1; i <= publishersCount; i++) {
      publishers.push(new Publisher(`publisher ${i}`, yield* connect(daemon.url), traffic))
    }
    const publishing = yield* Effect.forkScoped(
      Effect.forEach(publishers, (publisher) => publisher.run, { concurrency: "unbounded", discard: true }),
    )
    const following: Array<Reader> = []
    const followers: Array<Fiber.Fiber<never>> = []
    for (const { reconnects, ...reader } of readers) {
      const topics = yield* connect(daemon.url, reconnects ? {} : { reconnectFor: 0 })
      following.push(new Reader(reader))
      followers.push(yield* Effect.forkScoped(follow(following.at(-1)!, topics, traffic)))
    }
    // Whatever ends here by itself has failed.
    const failure = Effect.raceAllFirst([Fiber.join(publishing), ...followers.map((fiber) => Fiber.join(fiber))]).pipe(
      Effect.andThen(Effect.die(new Error("the load ended by itself"))),
    )

    const count = (outcome: "ok" | "unknown" | "failed") =>
      publishers.reduce((sum, publisher) => sum + publisher.counts[outcome], 0)
    const acknowledged: Array<number> = []
    let killedStarting = 0

    const runRounds = Effect.gen(function* () {
      for (const [index, round] of rounds.entries()) {
        const before = count("ok")
        Latch.closeUnsafe(traffic.acknowledged)
        Latch.openUnsafe(traffic.isUp)
        yield* Effect.timeoutOption(Latch.await(traffic.acknowledged), patienceMillis)
        yield* Effect.sleep(round.loadMillis)
        yield* options.server?.kill ?? daemon.kill
        Latch.closeUnsafe(traffic.isUp)
        if (options.server !== undefined) yield* options.server.start
        else if (round.startMillis !== undefined) {
          killedStarting++
          yield* daemon.startAndKill(round.startMillis)
        }
        if (options.server === undefined) yield* daemon.start
        acknowledged.push(count("ok") - before)
        options.onRound?.(index + 1, acknowledged.at(-1)!)
      }
    })
    yield* Effect.raceFirst(runRounds, failure)

    for (const publisher of publishers) publisher.stop()
    Latch.openUnsafe(traffic.isUp)
    yield* Fiber.join(publishing)
    const final = yield* Effect.flatMap(connect(daemon.url), readAll).pipe(Effect.orDie)
    const finish = Effect.forEach(following, (reader) => reader.finish(final), { concurrency: "unbounded" })
    yield* Effect.timeoutOption(finish, patienceMillis)
    for (const fiber of followers) {
      const exit = fiber.pollUnsafe()
      if (exit !== undefined && Exit.isFailure(exit)) return yield* Effect.die(Cause.squash(exit.cause))
    }

    const verdict = check({
      writes: publishers.flatMap(({ writes }) => writes),
      deletions: [],
      final,
      reads: following.map((reader) => reader.read()),
    })
    const torn = countTorn(
      publishers.flatMap(({ batches }) => batches),
      final,
    )
    const ended = yield* daemon.stop
    const examine = { sqlite: Sqlite.examine, lmdb: Lmdb.examine }[options.storage ?? "sqlite"]
    const corruption = yield* findingsOf(options.examination ?? examine(daemon.store))
    return {
      seed: options.seed,
      acknowledged,
      unknown: count("unknown"),
      failed: count("failed"),
      stored: final.length,
      killedStarting,
      verdict,
      torn,
      corruption,
      ended,
      isClean:
        verdict.isClean && torn === 0 && corruption.length === 0 && acknowledged.every((messages) => messages > 0),
    }
  })
