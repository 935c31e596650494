/**
 * A subscriber of a random program: it remembers what it saw, goes on where it was when the topics are opened again,
 * and knows from when on it must see everything.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type { Cursor } from "../domain/Cursor.ts"
import * as LogId from "../domain/LogId.ts"
import type { Message } from "../domain/Message.ts"
import * as NodeId from "../domain/NodeId.ts"
import * as TopicFilter from "../domain/TopicFilter.ts"
import { type SubscribeError, type SubscribeOptions, Topics } from "../topics/Topics.ts"
import type { Read, Seen } from "./history.ts"

/** A stored message, with its place in the journal. */
export interface Stored extends Seen {
  readonly position: number
}

export interface ReaderOptions {
  readonly name: string
  readonly filter: string
  readonly origin: NodeId.NodeId | undefined
  readonly from: "start" | "end" | "cursor" | number
  readonly pace: "fast" | "slow" | "stopped"
}

const utf8 = new TextDecoder()

export const storedOf = (message: Message): Stored => ({
  topic: message.topic,
  origin: message.origin,
  offset: message.offset,
  id: message.id,
  content: utf8.decode(message.payload),
  deleted: message.deleted,
  position: message.position,
})

/** What must be seen of a log: its first offset between these, and all up to the last. */
interface Expected {
  readonly firstMin: number
  readonly firstMax: number
  readonly last: number
}

export class Reader {
  readonly #options: ReaderOptions
  readonly #matches: (topic: string) => boolean
  readonly #seen: Array<Seen> = []
  readonly #last = new Map<string, number>()
  /** The last message seen, where the reader goes on after the topics were opened again. */
  #position = 0
  /** The subscription began at some position between these two: it had not begun yet, and it was live already. */
  #cursor: Cursor | undefined
  #startMax: number | undefined
  #expected: ReadonlyMap<string, Expected> | undefined
  readonly #go = Deferred.makeUnsafe<void>()
  readonly #done = Deferred.makeUnsafe<void>()

  constructor(options: ReaderOptions) {
    this.#options = options
    this.#matches = TopicFilter.matcher(options.filter)
  }

  get name(): string {
    return this.#options.name
  }

  /** Follows until the topics close, or for ever. Run it again over topics that were opened again. */
  readonly run: Effect.Effect<void, SubscribeError, Topics> = Effect.gen({ self: this }, function* () {
    const topics = yield* Topics
    const from = yield* this.#start(topics)
    yield* topics
      .subscribe(this.#options.filter, {
        origin: this.#options.origin,
        from,
        onLive: Effect.ignore(this.#noteLive(topics)),
      })
      .pipe(
        Stream.runForEachArray((messages) => {
          for (const message of messages) this.#note(message)
          return this.#pause()
        }),
        // The topics were closed: whoever opens them again runs this again.
        Effect.catchTag("Unavailable", () => Effect.void),
      )
  })

  #start(topics: Topics["Service"]): Effect.Effect<SubscribeOptions["from"], SubscribeError> {
    return Effect.gen({ self: this }, function* () {
      const { from } = this.#options
      if (this.#position > 0) return { incarnation: (yield* topics.info).incarnation, position: this.#position }
      if (from === "start" || typeof from === "number") return from
      const again = this.#cursor !== undefined
      this.#cursor ??= yield* topics.cursor
      if (from === "end" && !again) return from
      this.#startMax = this.#cursor.position
      return this.#cursor
    })
  }

  #noteLive(topics: Topics["Service"]): Effect.Effect<void, SubscribeError> {
    return Effect.gen({ self: this }, function* () {
      this.#startMax ??= (yield* topics.cursor).position
    })
  }

  #note(message: Message): void {
    this.#seen.push(storedOf(message))
    const key = LogId.key(message)
    this.#last.set(key, Math.max(this.#last.get(key) ?? 0, message.offset))
    this.#position = message.position
    this.#finishIfComplete()
  }

  #pause(): Effect.Effect<void> {
    if (this.#expected !== undefined || this.#options.pace === "fast") return Effect.void
    return this.#options.pace === "stopped"
      ? Deferred.await(this.#go)
      : Effect.forEach([1, 2, 3, 4, 5], () => Effect.yieldNow, { discard: true })
  }

  /** Tells the reader all that is stored; succeeds when it has seen what it must see. */
  finish(final: ReadonlyArray<Stored>): Effect.Effect<void> {
    const logs = Map.groupBy(
      final.filter((stored) => this.#follows(stored)),
      (stored) => LogId.key(stored),
    )
    this.#expected = new Map([...logs].map(([key, log]) => [key, this.#expect(log)]))
    this.#finishIfComplete()
    return Effect.andThen(Deferred.succeed(this.#go, undefined), Deferred.await(this.#done))
  }

  #follows(log: LogId.LogId): boolean {
    const { origin } = this.#options
    return this.#matches(log.topic) && (origin === undefined || NodeId.equals(origin, log.origin))
  }

  #expect(log: ReadonlyArray<Stored>): Expected {
    const { from } = this.#options
    const last = log[log.length - 1]!.offset
    if (from === "start") return { firstMin: 1, firstMax: 1, last }
    if (typeof from === "number") return { firstMin: from, firstMax: from, last }
    const firstAfter = (position: number) => log.find((stored) => stored.position > position)?.offset ?? last + 1
    return {
      firstMin: firstAfter(this.#cursor?.position ?? 0),
      firstMax: firstAfter(this.#startMax ?? Number.POSITIVE_INFINITY),
      last,
    }
  }

  #finishIfComplete(): void {
    if (this.#expected === undefined) return
    for (const [key, { firstMax, last }] of this.#expected) {
      if (firstMax <= last && (this.#last.get(key) ?? 0) < last) return
    }
    Deferred.doneUnsafe(this.#done, Exit.void)
  }

  /** For the history checker; after `finish`. */
  read(): Read {
    return { reader: this.#options.name, seen: this.#seen, expected: this.#expected ?? new Map() }
  }
}

/** All logs under a prefix, from their beginnings, as a node has them when everything is over. */
export const readAll = Effect.fnUntraced(function* (topics: Topics["Service"], prefix: string) {
  const all: Array<Stored> = []
  for (const { topic, origin, offset: head } of yield* topics.heads) {
    if (!topic.startsWith(prefix)) continue
    for (let from = 1; from <= head;) {
      const page = yield* topics.fetch(topic, { origin, from, limit: 1000 })
      if (page.length === 0) break
      for (const message of page) all.push(storedOf(message))
      from += page.length
    }
  }
  return all
})

/** What one node has in the end, as a read that has to be what another one has. */
export const wholeRead = (reader: string, seen: ReadonlyArray<Stored>, final: ReadonlyArray<Stored>): Read => {
  const logs = Map.groupBy(final, (stored) => LogId.key(stored))
  const expected = [...logs].map(([key, log]) => [key, { firstMin: 1, firstMax: 1, last: log.length }] as const)
  return { reader, seen, expected: new Map(expected) }
}
