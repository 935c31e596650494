/**
 * A subscriber stops reading while very many messages are published, and goes on when all is over. What it costs its node
 * in memory, what it costs the others in time, and whether everybody got everything.
 */
import { Deferred, Effect, Fiber, type Scope, Stream } from "effect"
import { format } from "../../src/testing/history.ts"
import type { SubscribeError, PublishError, Topics } from "../../src/topics/Topics.ts"
import { Acknowledgements, payloadOf, Tape, type Tapes, topicOf, topicsCount, verdicts } from "./Tape.ts"

/** The memory of a process, in bytes. */
export interface Memory {
  /** What the system has given it. */
  readonly rss: number
  /** What it holds in JavaScript's heap and in buffers. */
  readonly held: number
}

export interface SlowSubscriberOptions {
  /** The same service, or a client each. */
  readonly publisher: Topics["Service"]
  readonly fast: Topics["Service"]
  /** Absent: a run without it, to compare with. */
  readonly stopped: Topics["Service"] | undefined
  readonly messages: number
  /** How many of the fifty topics the history checker looks at: all of them take longer than all the rest. */
  readonly topicsChecked: number
  /** The memory of the process that the node is in, after a garbage collection if so told. */
  readonly memory: (collect: boolean) => Effect.Effect<Memory>
}

export interface SlowSubscriberReport {
  /** From the first publish until the subscriber that reads has everything. */
  readonly messagesPerSecond: number
  readonly before: Memory
  /** The most that was seen while messages were published. */
  readonly peakRss: number
  /** When all is published and read by the others, before the stopped one goes on. */
  readonly whileStopped: Memory
  /** When it has everything, too. */
  readonly after: Memory
  /** How many messages the stopped one had seen when all others were done. */
  readonly seenBeforeStop: number
  /** Messages that each reader got, the one that came last included, and those that were out of turn. */
  readonly received: Readonly<Record<string, { readonly count: number; readonly jumps: number }>>
  /** What the history checker finds, one line for all topics where that is the same. */
  readonly verdict: string
}

const batchMessages = 1000
const batchesInFlight = 2
const samplesEvery = 20
/** The first messages are not measured: as many as it takes for code to be compiled and heaps to have grown. */
export const warmUpMessages = 50_000

/** Publishes messages from one number to another and notes their offsets; `each` is run now and then. */
const publish = (
  topics: Topics["Service"],
  { from, to }: { readonly from: number; readonly to: number },
  acknowledgements: Acknowledgements,
  each: Effect.Effect<void>,
): Effect.Effect<void, PublishError> =>
  Effect.forEach(
    Array.from({ length: (to - from) / batchMessages }, (_, batch) => from + batch * batchMessages),
    (first) =>
      Effect.gen(function* () {
        const drafts = Array.from({ length: batchMessages }, (_, i) => ({
          topic: topicOf(first + i),
          payload: payloadOf(first + i),
        }))
        const stored = yield* topics.publishAll(drafts)
        for (const [i, { offset }] of stored.entries()) acknowledgements.note(first + i, offset)
        if ((first / batchMessages) % samplesEvery === 0) yield* each
      }),
    { concurrency: batchesInFlight, discard: true },
  )

/** Reads until it has so many, from a time on at which it is live. Waits for `go` after its first messages. */
const follow = (
  topics: Topics["Service"],
  tape: Tape,
  messages: number,
  go: Effect.Effect<void>,
): Effect.Effect<Fiber.Fiber<void, SubscribeError>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const isLive = yield* Deferred.make<void>()
    const fiber = yield* topics
      .subscribe("load/#", { onLive: Effect.asVoid(Deferred.succeed(isLive, undefined)) })
      .pipe(
        Stream.take(messages),
        Stream.runForEachArray((chunk) => {
          for (const message of chunk) tape.note(message)
          return go
        }),
        Effect.forkScoped,
      )
    yield* Effect.raceFirst(Deferred.await(isLive), Effect.orDie(Fiber.join(fiber)))
    return fiber
  })

const readAll = (topics: Topics["Service"], messages: number) =>
  Effect.gen(function* () {
    const tape = new Tape(messages)
    yield* topics.subscribe("load/#", { from: "start" }).pipe(
      Stream.take(messages),
      Stream.runForEachArray((chunk) => {
        for (const message of chunk) tape.note(message)
        return Effect.void
      }),
    )
    return tape
  })

/** Needs topics that were empty before: offsets are counted from 1. */
export const slowSubscriber = (
  options: SlowSubscriberOptions,
): Effect.Effect<SlowSubscriberReport, PublishError | SubscribeError> =>
  Effect.gen(function* () {
    const { publisher, fast, stopped, messages, memory } = options
    const acknowledgements = new Acknowledgements(messages)
    const readers: Array<Tapes["readers"][number]> = []
    const go = yield* Deferred.make<void>()
    const first = { name: "the one that reads", tape: new Tape(messages), first: 1 }
    readers.push(first)
    const reading = yield* follow(fast, first.tape, messages, Effect.void)
    yield* publish(publisher, { from: 0, to: warmUpMessages }, acknowledgements, Effect.void)

    const rest = messages - warmUpMessages
    let second: Tape | undefined
    let waiting: Fiber.Fiber<void, SubscribeError> | undefined
    if (stopped !== undefined) {
      second = new Tape(rest)
      readers.push({ name: "the one that stops", tape: second, first: warmUpMessages / topicsCount + 1 })
      waiting = yield* follow(stopped, second, rest, Deferred.await(go))
    }
    const before = yield* memory(true)
    let peakRss = before.rss
    const sample = Effect.map(memory(false), ({ rss }) => {
      peakRss = Math.max(peakRss, rss)
    })
    const begun = performance.now()
    yield* publish(publisher, { from: warmUpMessages, to: messages }, acknowledgements, sample)
    yield* Fiber.join(reading)
    const seconds = (performance.now() - begun) / 1000
    yield* sample
    const whileStopped = yield* memory(true)
    const seenBeforeStop = second?.count ?? 0
    yield* Deferred.succeed(go, undefined)
    if (waiting !== undefined) yield* Fiber.join(waiting)
    const after = yield* memory(true)

    const final = yield* readAll(fast, messages)
    const lines = new Set(verdicts({ acknowledgements, final, readers }, options.topicsChecked).map(format))
    const received = Object.fromEntries(
      [...readers, { name: "the one that came last", tape: final }].map(({ name, tape: { count, jumps } }) => [
        name,
        { count, jumps },
      ]),
    )
    const messagesPerSecond = rest / seconds
    const verdict = [...lines].join("\n")
    return { messagesPerSecond, before, peakRss, whileStopped, after, seenBeforeStop, received, verdict }
  }).pipe(Effect.scoped)
