/**
 * A subscriber of a random program: it remembers what it saw, goes on where it was when the topics are opened again,
 * and knows from when on it must see everything.
 */
import { Deferred, Effect, Exit, Stream } from "effect"
import type { Cursor } from "../domain/Cursor.ts"
import * as LogId from "../domain/LogId.ts"
import type { Message } from "../domain/Message.ts"
import * as NodeId from "../domain/NodeId.ts"
import * as TopicFilter from "../domain/TopicFilter.ts"
import { type SubscribeError, type SubscribeOptions, Topics } from "../topics/Topics.ts"
import type { Read, Seen } from "./history.ts"

type Heads = ReadonlyMap<string, number>

export interface ReaderOptions {
  readonly name: string
  readonly filter: string
  readonly origin: NodeId.NodeId | undefined
  readonly from: "start" | "end" | "cursor" | number
  readonly pace: "fast" | "slow" | "stopped"
}

const utf8 = new TextDecoder()

export const seenOf = (message: Message): Seen => ({
  topic: message.topic,
  origin: message.origin,
  offset: message.offset,
  id: message.id,
  content: utf8.decode(message.payload),
  deleted: message.deleted,
})

const headsOf = Effect.fnUntraced(function* (topics: Topics["Service"]) {
  const heads = yield* topics.heads
  return new Map(heads.map((head) => [LogId.key(head), head.offset]))
})

export class Reader {
  readonly #options: ReaderOptions
  readonly #matches: (topic: string) => boolean
  readonly #seen: Array<Seen> = []
  readonly #last = new Map<string, number>()
  /** Heads that were known before the subscription began, and when it was live: the first offset lies between. */
  #before: Heads = new Map()
  #live: Heads | undefined
  /** Where to go on after the topics were opened again: the last message seen, or else where the reader came in. */
  #position = 0
  #cursor: Cursor | undefined
  #targets: Heads | undefined
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
        onLive: Effect.asVoid(Effect.exit(this.#noteLive(topics))),
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
      if (this.#cursor !== undefined) return this.#cursor
      this.#before = yield* headsOf(topics)
      this.#cursor = yield* topics.cursor
      if (from === "end") return from
      this.#live = yield* headsOf(topics)
      return this.#cursor
    })
  }

  #noteLive(topics: Topics["Service"]): Effect.Effect<void, SubscribeError> {
    return Effect.gen({ self: this }, function* () {
      this.#live ??= yield* headsOf(topics)
    })
  }

  #note(message: Message): void {
    this.#seen.push(seenOf(message))
    const key = LogId.key(message)
    this.#last.set(key, Math.max(this.#last.get(key) ?? 0, message.offset))
    this.#position = message.position
    this.#finishIfComplete()
  }

  #pause(): Effect.Effect<void> {
    if (this.#targets !== undefined || this.#options.pace === "fast") return Effect.void
    return this.#options.pace === "stopped"
      ? Deferred.await(this.#go)
      : Effect.forEach([1, 2, 3, 4, 5], () => Effect.yieldNow, { discard: true })
  }

  /** Tells the reader what there is; succeeds when it has seen all of it. */
  finish(final: Heads, logs: ReadonlyArray<LogId.LogId>): Effect.Effect<void> {
    const followed = logs.filter((log) => this.#follows(log)).map((log) => LogId.key(log))
    this.#targets = new Map(followed.map((key) => [key, final.get(key)!]))
    this.#finishIfComplete()
    return Effect.andThen(Deferred.succeed(this.#go, undefined), Deferred.await(this.#done))
  }

  #follows(log: LogId.LogId): boolean {
    const { origin } = this.#options
    return this.#matches(log.topic) && (origin === undefined || NodeId.equals(origin, log.origin))
  }

  #finishIfComplete(): void {
    if (this.#targets === undefined) return
    for (const [key, last] of this.#targets) {
      const reached = this.#last.get(key)
      if (reached === undefined ? this.#bounds(key).firstMax <= last : reached < last) return
    }
    Deferred.doneUnsafe(this.#done, Exit.void)
  }

  #bounds(key: string): { readonly firstMin: number; readonly firstMax: number } {
    const { from } = this.#options
    if (from === "start") return { firstMin: 1, firstMax: 1 }
    if (typeof from === "number") return { firstMin: from, firstMax: from }
    const live = this.#live === undefined ? Number.POSITIVE_INFINITY : (this.#live.get(key) ?? 0)
    return { firstMin: (this.#before.get(key) ?? 0) + 1, firstMax: live + 1 }
  }

  /** For the history checker; after `finish`. */
  read(): Read {
    const targets = [...(this.#targets ?? [])]
    const expected = new Map(targets.map(([key, last]) => [key, { ...this.#bounds(key), last }]))
    return { reader: this.#options.name, seen: this.#seen, expected }
  }
}
