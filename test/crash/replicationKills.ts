/**
 * Daemons that sync with each other while all of them are written to, and while one after another is killed.
 *
 * Each round waits until the victim has got something new of every other one, lets the load go on for a moment that the
 * seed decides, kills, and starts again; now and then two are killed at once, or a start is cut short. Messages are
 * published, and ranges deleted, at all of them at any time. In the end everybody must have the same, byte for byte, and
 * what each has is judged by the history checker: acknowledged writes are everywhere, and deletions too.
 */
import { Cause, Effect, Exit, Fiber, Latch, Random, type Scope } from "effect"
import * as NodeId from "../../src/domain/NodeId.ts"
import { isReserved } from "../../src/domain/Topic.ts"
import * as Lmdb from "../../src/storage/lmdb/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import { check, type Verdict } from "../../src/testing/history.ts"
import { Reader, type Stored, storedOf } from "../../src/testing/reader.ts"
import { Contents, Recorder } from "../../src/testing/recorder.ts"
import { Topics } from "../../src/topics/Topics.ts"
import type * as Daemon from "./Daemon.ts"
import * as Fleet from "./Fleet.ts"
import { findingsOf } from "./kills.ts"

export interface ReplicationKillsOptions extends Pick<Fleet.FleetOptions, "storages" | "script" | "env"> {
  readonly rounds: number
  /** Decides who is killed, and when. */
  readonly seed: number
  /** Of a store that is not in a member's files. */
  readonly examinations?: Readonly<Record<number, Examination>> | undefined
  /** How long it may take until all have the same in the end; by default as long as it ever should. */
  readonly patienceMillis?: number | undefined
  /** Told after each round how many messages were acknowledged in it. */
  readonly onRound?: ((round: number, acknowledged: number) => void) | undefined
}

type Examination = Effect.Effect<ReadonlyArray<string>>

export interface ReplicationKillsReport {
  readonly seed: number
  /** How many messages were acknowledged in each round: a round without any would prove nothing. */
  readonly acknowledged: ReadonlyArray<number>
  readonly kills: number
  /** Attempts whose outcome stayed unknown. */
  readonly unknown: number
  /** Deletions that were acknowledged. */
  readonly deletions: number
  /** What each member has in the end. */
  readonly contents: ReadonlyArray<Readonly<Record<string, Fleet.LogContent>>>
  /** Of each member. */
  readonly verdicts: ReadonlyArray<Verdict>
  /** What is wrong with the stores; nothing where they are whole. */
  readonly corruption: ReadonlyArray<string>
  /** How the daemons ended when they were told to, after all. */
  readonly ended: ReadonlyArray<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** Whether all have the same in the end. */
  readonly areEqual: boolean
  readonly isClean: boolean
}

const topics = ["a", "b/c"] as const
/** Messages of one publish at most, and of one deletion. */
const batchMax = 12
const deletedMax = 25
/** Between two publishes, and two deletions, of a writer, in milliseconds. */
const pauseMillis = { publish: 20, delete: 60 }
/** How long the load goes on before a kill, after something new has come, and a start before one, in milliseconds. */
const loadMillis = { min: 0, max: 400 }
const startMillis = { min: 50, max: 1200 }
/** How long it may take until something new has come, and readers to see the last message, in milliseconds. */
const patienceMillis = 60_000
const lookEveryMillis = 20

interface Round {
  readonly victims: ReadonlyArray<number>
  readonly loadMillis: number
  /** Present where the start after the round is cut short. */
  readonly startMillis: number | undefined
}

/** Whom to kill, and when: all drawn beforehand, so that a seed gives the same moments again. */
const plan = (rounds: number, members: number, seed: number): Effect.Effect<ReadonlyArray<Round>> =>
  Effect.forEach(Array.from({ length: rounds }), () =>
    Effect.gen(function* () {
      const first = yield* Random.nextIntBetween(0, members - 1)
      const second = yield* Random.nextIntBetween(0, members - 1)
      const isDouble = (yield* Random.nextIntBetween(1, 4)) === 1
      const load = yield* Random.nextIntBetween(loadMillis.min, loadMillis.max)
      const start = yield* Random.nextIntBetween(startMillis.min, startMillis.max)
      const isCutShort = (yield* Random.nextIntBetween(1, 8)) === 1
      return {
        victims: [...new Set(isDouble ? [first, second] : [first])],
        loadMillis: load,
        startMillis: isCutShort ? start : undefined,
      }
    }),
  ).pipe(Random.withSeed(seed))

/** What is written to one member, and whether that is up. */
class Writer {
  readonly isUp = Latch.makeUnsafe(false)
  readonly recorder: Recorder
  readonly #topics: Topics["Service"]
  #isStopping = false

  constructor({ id, topics: of }: Fleet.Member, contents: Contents) {
    this.recorder = new Recorder("load", id, contents)
    this.#topics = of
  }

  get acknowledged(): number {
    return this.recorder.writes.reduce((sum, { outcome }) => sum + (outcome === "ok" ? 1 : 0), 0)
  }

  stop(): void {
    this.#isStopping = true
  }

  /** Publishes and deletes until `stop`, then finishes what it has begun: the node must be up for that. */
  readonly run: Effect.Effect<void> = Effect.suspend(() =>
    Effect.all(
      [
        this.#loop(pauseMillis.publish, this.#batch),
        this.#loop(pauseMillis.publish, this.#single),
        this.#loop(pauseMillis.delete, this.#deletion),
      ],
      { concurrency: "unbounded", discard: true },
    ),
  )

  #loop(millis: number, once: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.whileLoop({
      while: () => !this.#isStopping,
      body: () => Effect.andThen(Latch.await(this.isUp), Effect.andThen(once, Effect.sleep(millis))),
      step: () => {},
    })
  }

  readonly #topic = Effect.map(Random.nextIntBetween(0, topics.length - 1), (i) => topics[i]!)

  readonly #batch = Effect.gen({ self: this }, function* () {
    const count = yield* Random.nextIntBetween(1, batchMax)
    const to = yield* Effect.forEach(Array.from({ length: count }), () => this.#topic)
    yield* this.recorder.publishAll(this.#topics, to)
  })

  readonly #single = Effect.gen({ self: this }, function* () {
    yield* this.recorder.publishEach(this.#topics, [{ topic: yield* this.#topic, repeat: false }])
  })

  /** Of any range: of what is everywhere, of what has just been published, and across the end. */
  readonly #deletion = Effect.gen({ self: this }, function* () {
    const topic = yield* this.#topic
    const head = yield* this.#topics.head(`load/${topic}`)
    if (head._tag === "None") return
    const from = yield* Random.nextIntBetween(1, head.value)
    yield* this.recorder.delete(this.#topics, topic, from, from + (yield* Random.nextIntBetween(0, deletedMax)))
  }).pipe(Effect.ignore)
}

/** Follows for ever; where its client gives up, it goes on from what it has seen when the node is up again. */
const follow = (reader: Reader, { topics: of }: Fleet.Member, { isUp }: Writer): Effect.Effect<never> =>
  Effect.andThen(Latch.await(isUp), reader.run).pipe(
    Effect.catchTag("Unavailable", () => Effect.void),
    Effect.provideService(Topics, of),
    Effect.orDie,
    Effect.forever,
  )

/** How much of each other member's messages a member has. */
const gotOf = ({ id, topics: of }: Fleet.Member): Effect.Effect<ReadonlyMap<string, number>> =>
  Effect.map(Effect.orDie(of.heads), (heads) => {
    const got = new Map<string, number>()
    for (const { topic, origin, offset } of heads) {
      if (isReserved(topic) || NodeId.equals(origin, id)) continue
      got.set(NodeId.key(origin), (got.get(NodeId.key(origin)) ?? 0) + offset)
    }
    return got
  })

/** Waits until a member has got something new of all others. */
const untilSynced = (member: Fleet.Member, others: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    const before = yield* gotOf(member)
    const hasNew = Effect.map(gotOf(member), (now) => {
      const grown = [...now].filter(([origin, offsets]) => offsets > (before.get(origin) ?? 0))
      return grown.length === others
    })
    yield* Effect.repeat(Effect.delay(hasNew, lookEveryMillis), { until: (is) => is })
  }).pipe(
    Effect.timeoutOrElse({
      duration: patienceMillis,
      orElse: () => Effect.die(new Error(`nothing new came to ${NodeId.format(member.id)}: ${member.daemon.said()}`)),
    }),
  )

export const replicationKills = (
  options: ReplicationKillsOptions,
): Effect.Effect<ReplicationKillsReport, Daemon.DaemonFailed> =>
  Effect.gen(function* () {
    const fleet = yield* Fleet.make(options)
    const rounds = yield* plan(options.rounds, fleet.length, options.seed)
    const crashed = Effect.raceAllFirst(fleet.map(({ daemon }) => daemon.crashed))
    return yield* Effect.raceFirst(killUnderLoad(fleet, rounds, options), crashed)
  }).pipe(Effect.scoped)

const killUnderLoad = (
  fleet: ReadonlyArray<Fleet.Member>,
  rounds: ReadonlyArray<Round>,
  options: ReplicationKillsOptions,
): Effect.Effect<ReplicationKillsReport, Daemon.DaemonFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const contents = new Contents()
    const writers = fleet.map((member) => new Writer(member, contents))
    const readers = fleet.map(
      ({ daemon }) =>
        new Reader({ name: `at ${daemon.url}`, filter: "load/#", origin: undefined, from: "start", pace: "fast" }),
    )
    yield* Effect.forEach(fleet, ({ daemon }) => daemon.start, { discard: true })
    const writing = yield* Effect.forkScoped(
      Effect.forEach(writers, (writer) => writer.run, { concurrency: "unbounded", discard: true }),
    )
    const following = yield* Effect.forEach(fleet, (member, i) =>
      Effect.forkScoped(follow(readers[i]!, member, writers[i]!)),
    )
    // Whatever ends here by itself has failed.
    const failure = Effect.raceAllFirst([writing, ...following].map((fiber) => Fiber.join(fiber))).pipe(
      Effect.andThen(Effect.die(new Error("the load ended by itself"))),
    )
    const count = () => writers.reduce((sum, { acknowledged }) => sum + acknowledged, 0)

    const acknowledged: Array<number> = []
    const runRounds = Effect.gen(function* () {
      for (const [index, { victims, ...round }] of rounds.entries()) {
        const before = count()
        for (const { isUp } of writers) Latch.openUnsafe(isUp)
        yield* Effect.forEach(victims, (victim) => untilSynced(fleet[victim]!, fleet.length - 1), {
          concurrency: "unbounded",
        })
        yield* Effect.sleep(round.loadMillis)
        yield* Effect.forEach(victims, (victim) => fleet[victim]!.daemon.kill, { concurrency: "unbounded" })
        for (const victim of victims) Latch.closeUnsafe(writers[victim]!.isUp)
        for (const victim of victims) {
          const { daemon } = fleet[victim]!
          if (round.startMillis !== undefined) yield* daemon.startAndKill(round.startMillis)
          yield* daemon.start
        }
        acknowledged.push(count() - before)
        options.onRound?.(index + 1, acknowledged.at(-1)!)
      }
    })
    yield* Effect.raceFirst(runRounds, failure)

    for (const writer of writers) {
      writer.stop()
      Latch.openUnsafe(writer.isUp)
    }
    yield* Fiber.join(writing)
    yield* Fleet.converged(fleet, options.patienceMillis)
    const finals = fleet.map((): Array<Stored> => [])
    const inTheEnd = yield* Effect.forEach(fleet, (member, i) =>
      Fleet.contentOf(member, (message) => {
        if (!isReserved(message.topic)) finals[i]!.push(storedOf(message))
      }),
    ).pipe(Effect.orDie)
    const finish = Effect.forEach(readers, (reader, i) => reader.finish(finals[i]!), { concurrency: "unbounded" })
    yield* Effect.timeoutOption(finish, patienceMillis)
    for (const fiber of following) {
      const exit = fiber.pollUnsafe()
      if (exit !== undefined && Exit.isFailure(exit)) return yield* Effect.die(Cause.squash(exit.cause))
    }

    const writes = writers.flatMap(({ recorder }) => recorder.writes)
    const deletions = writers.flatMap(({ recorder }) => recorder.deletions)
    const verdicts = finals.map((final, i) => check({ writes, deletions, final, reads: [readers[i]!.read()] }))
    const ended = yield* Effect.forEach(fleet, ({ daemon }) => daemon.stop)
    const corruption = yield* Effect.forEach(fleet, ({ daemon, storage }, i) => {
      const given = options.examinations?.[i]
      return given ?? findingsOf(storage === "lmdb" ? Lmdb.examine(daemon.store) : Sqlite.examine(daemon.store))
    })
    const areEqual = new Set(inTheEnd.map((one) => JSON.stringify(one))).size === 1
    return {
      seed: options.seed,
      acknowledged,
      kills: rounds.reduce(
        (sum, { victims, startMillis: cut }) => sum + victims.length * (cut === undefined ? 1 : 2),
        0,
      ),
      unknown: writes.filter(({ outcome }) => outcome === "unknown").length,
      deletions: deletions.filter(({ outcome }) => outcome === "ok").length,
      contents: inTheEnd,
      verdicts,
      corruption: corruption.flat(),
      ended,
      areEqual,
      isClean:
        verdicts.every(({ isClean }) => isClean) &&
        areEqual &&
        corruption.flat().length === 0 &&
        acknowledged.every((messages) => messages > 0),
    }
  })
