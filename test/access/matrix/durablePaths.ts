/**
 * Ways to use topics and queues, wherever they are: in this process behind the guard, or in a node elsewhere.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Message } from "../../../src/domain/Message.ts"
import type { Queues } from "../../../src/queues/index.ts"
import type { Topics } from "../../../src/topics/index.ts"
import type { Cell, Outcome, Path } from "./Cell.ts"
import * as model from "./model.ts"

/** Topics and queues as one principal may use them. */
export interface DurablePlace {
  readonly topics: Topics["Service"]
  readonly queues: Queues["Service"]
  /** Puts a cursor back that was deleted. */
  readonly restore: (filter: string) => Effect.Effect<void>
}

const denied: Outcome = { isDenied: true, seen: [] }
const passed: Outcome = { isDenied: false, seen: [] }

/** What who was let through may be told all the same. */
const harmless = new Set(["CursorUnknown", "QueueTaken", "CursorTaken", "CursorLost", "CursorMismatch"])

interface Failure {
  readonly _tag: string
  readonly message: string
}

/** Denied where access rules say so; anything else that is not known to be harmless is a failure of the test. */
export const outcomeOf = <A>(
  attempt: Effect.Effect<A, Failure>,
  seen: (value: A) => ReadonlyArray<string> = () => [],
): Effect.Effect<Outcome> =>
  Effect.matchEffect(attempt, {
    onSuccess: (value) => Effect.succeed({ isDenied: false, seen: seen(value) }),
    onFailure: (failure) => {
      if (failure._tag === "AccessDenied") return Effect.succeed(denied)
      return harmless.has(failure._tag) ? Effect.succeed(passed) : Effect.die(failure)
    },
  })

const topicsOf = (messages: ReadonlyArray<Message>): ReadonlyArray<string> => messages.map(({ topic }) => topic)

/** Runs until the first of: it fails, or it says that it has begun. */
const untilBegun = (
  begin: (begun: Effect.Effect<void>) => Effect.Effect<unknown, Failure>,
  seen: () => ReadonlyArray<string> = () => [],
): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const begun = yield* Deferred.make<void>()
    return yield* outcomeOf(
      Effect.raceFirst(begin(Effect.asVoid(Deferred.succeed(begun, undefined))), Deferred.await(begun)),
      seen,
    )
  })

const subscribing =
  (from: "start" | "end") =>
  ({ topics }: DurablePlace, { object }: Cell) => {
    const seen: Array<string> = []
    return untilBegun(
      (begun) =>
        Stream.runForEachArray(topics.subscribe(object, { from, onLive: begun }), (messages) =>
          Effect.sync(() => seen.push(...topicsOf(messages))),
        ),
      () => seen,
    )
  }

const consuming =
  (kind: "consume" | "consumeChunks") =>
  ({ topics }: DurablePlace, { object }: Cell) => {
    const seen: Array<string> = []
    const name = `${kind} ${object}`
    return untilBegun(
      (begun) =>
        kind === "consume"
          ? topics.consume(name, object, ({ topic }) => Effect.sync(() => seen.push(topic)), { onLive: begun })
          : topics.consumeChunks(name, object, (messages) => Effect.sync(() => seen.push(...topicsOf(messages))), {
              onLive: begun,
            }),
      () => seen,
    )
  }

const read = [...model.topics, ...model.reservedTopics]
export const filters: ReadonlyArray<string> = [...read, ...model.wildcards]
const queues = [...model.topics, "a/b.dead", "b.dead"]

/** The cursor that the world keeps for a filter, whoever may read it. */
export const cursorOf = (filter: string): string => `cursor of ${filter}`

const topicPaths: ReadonlyArray<Path<DurablePlace>> = [
  {
    name: "publish",
    verb: "publish",
    objects: model.topics,
    attempt: ({ topics }, { mark, object }) => outcomeOf(topics.publish(object, mark)),
  },
  {
    name: "publishAll",
    verb: "publish",
    objects: model.topics,
    // The first of the batch is what the principal may do, if it may do anything with topics of its own.
    attempt: ({ topics }, { mark, object, principal }) => {
      const allowed = model.topics.find((topic) => model.isAllowed(principal, "publish", topic)) ?? object
      return outcomeOf(topics.publishAll([allowed, object].map((topic) => ({ topic, payload: mark }))))
    },
  },
  {
    name: "fetch",
    verb: "subscribe",
    objects: read,
    attempt: ({ topics }, { object }) => outcomeOf(topics.fetch(object), topicsOf),
  },
  {
    name: "head",
    verb: "subscribe",
    objects: read,
    attempt: ({ topics }, { object }) => outcomeOf(topics.head(object)),
  },
  {
    name: "heads",
    verb: "subscribe",
    objects: model.topics,
    isFiltered: true,
    attempt: ({ topics }) => outcomeOf(topics.heads, (heads) => heads.map(({ topic }) => topic)),
  },
  {
    name: "deleteRange",
    verb: "delete",
    objects: model.topics,
    attempt: ({ topics }, { object }) => outcomeOf(topics.deleteRange(object, 1, 1)),
  },
  { name: "subscribe, replay", verb: "subscribe", objects: filters, attempt: subscribing("start") },
  { name: "subscribe, live", verb: "subscribe", objects: filters, attempt: subscribing("end") },
  { name: "consume", verb: "subscribe", objects: filters, attempt: consuming("consume") },
  { name: "consumeChunks", verb: "subscribe", objects: model.topics, attempt: consuming("consumeChunks") },
  {
    // Somebody else's cursor, by its name, with a filter that the principal may read.
    name: "holdCursor",
    verb: "subscribe",
    objects: filters,
    attempt: ({ topics }, { object, principal }) => {
      const own = filters.find((filter) => model.isAllowed(principal, "subscribe", filter)) ?? object
      return outcomeOf(Effect.scoped(topics.holdCursor(cursorOf(object), own, { takeOver: true })))
    },
  },
  {
    name: "cursors",
    verb: "subscribe",
    objects: filters,
    isFiltered: true,
    attempt: ({ topics }) => outcomeOf(topics.cursors, (cursors) => cursors.map((cursor) => cursor.topics)),
  },
  {
    name: "resetCursor",
    verb: "subscribe",
    objects: filters,
    attempt: ({ topics }, { object }) => outcomeOf(topics.resetCursor(cursorOf(object), "start")),
  },
]

/** They change what the others look at, so they come last. */
const deletions: ReadonlyArray<Path<DurablePlace>> = [
  {
    name: "deleteCursor",
    verb: "subscribe",
    objects: filters,
    attempt: ({ restore, topics }, { object }) =>
      Effect.tap(outcomeOf(topics.deleteCursor(cursorOf(object))), ({ isDenied }) =>
        isDenied ? Effect.void : restore(object),
      ),
  },
]

const queuePaths: ReadonlyArray<Path<DurablePlace>> = [
  {
    name: "enqueue",
    verb: "queue",
    objects: queues,
    attempt: ({ queues }, { mark, object }) => outcomeOf(queues.enqueue(object, mark)),
  },
  {
    name: "peek",
    verb: "queue",
    objects: queues,
    attempt: ({ queues }, { object }) => outcomeOf(queues.peek(object)),
  },
  {
    name: "items",
    verb: "queue",
    objects: queues,
    seenAs: "queue",
    attempt: ({ queues }, { object }) => outcomeOf(queues.items(object), (items) => items.map(({ queue }) => queue)),
  },
  {
    name: "ack",
    verb: "queue",
    objects: queues,
    attempt: ({ queues }, { mark, object }) => outcomeOf(queues.ack(object, mark)),
  },
  {
    name: "reject",
    verb: "queue",
    objects: queues,
    attempt: ({ queues }, { mark, object }) => outcomeOf(queues.reject(object, mark)),
  },
  {
    name: "redrive",
    verb: "queue",
    objects: queues,
    attempt: ({ queues }, { object }) => outcomeOf(queues.redrive(object)),
  },
  {
    name: "take",
    verb: "queue",
    objects: queues,
    attempt: ({ queues }, { object }) => untilBegun((onTaken) => queues.take(object, () => Effect.never, { onTaken })),
  },
  {
    name: "queues",
    verb: "queue",
    objects: queues,
    isFiltered: true,
    seenAs: "queue",
    attempt: ({ queues }) => outcomeOf(queues.queues, (states) => states.map(({ queue }) => queue)),
  },
]

export const durablePaths = [...topicPaths, ...queuePaths, ...deletions]
