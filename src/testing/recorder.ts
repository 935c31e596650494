/**
 * The writing side of a random program: does what a step says, and notes what came of it.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as LogId from "../domain/LogId.ts"
import type { Message } from "../domain/Message.ts"
import type { NodeId } from "../domain/NodeId.ts"
import type { ReplicatedMessage } from "../storage/LogStore.ts"
import type { Topics } from "../topics/Topics.ts"
import type { Deletion, Outcome, Write } from "./history.ts"
import type { PublishItem, Step } from "./program.ts"

/** What an exit says about a write: an interrupted one, or one that says so, may have happened. */
const outcomeOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>): Outcome => {
  if (Exit.isSuccess(exit)) return "ok"
  const error = Cause.findErrorOption(exit.cause)
  return error._tag === "None" || error.value._tag === "OutcomeUnknown" ? "unknown" : "failed"
}

/** Contents that no other write has, and names that no other writer has. */
export class Contents {
  #contents = 0
  #writers = 0

  next(): string {
    return `content ${++this.#contents}`
  }

  writer(): string {
    return `writer ${++this.#writers}`
  }
}

/** What is written at one node. */
export class Recorder {
  readonly writes: Array<Write> = []
  readonly deletions: Array<Deletion> = []
  readonly #prefix: string
  readonly #origin: NodeId
  readonly #contents: Contents

  /** @param origin whose topics are written to */
  constructor(prefix: string, origin: NodeId, contents: Contents) {
    this.#prefix = prefix
    this.#origin = origin
    this.#contents = contents
  }

  /** Publishes items one after another, as one writer. */
  publishEach(topics: Topics["Service"], items: ReadonlyArray<PublishItem>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const writer = this.#contents.writer()
      for (const item of items) {
        const topic = `${this.#prefix}/${item.topic}`
        const content = this.#contents.next()
        const publish = topics.publish(topic, content, item.repeat ? { key: content } : undefined)
        for (let times = item.repeat ? 2 : 1; times > 0; times--) {
          const noted = publish.pipe(Effect.onExit((exit) => this.#note(writer, [topic], [content], exit)))
          yield* Effect.ignore(noted)
        }
      }
    })
  }

  /** Publishes one message to each topic, in one batch. */
  publishAll(topics: Topics["Service"], to: ReadonlyArray<string>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const names = to.map((topic) => `${this.#prefix}/${topic}`)
      const contents = to.map(() => this.#contents.next())
      const drafts = names.map((topic, i) => ({ topic, payload: contents[i]! }))
      return topics.publishAll(drafts).pipe(
        Effect.onExit((exit) => this.#note(this.#contents.writer(), names, contents, exit)),
        Effect.ignore,
      )
    })
  }

  /** Does something that must be refused: whatever it claims, its content must not be there in the end. */
  refused(topics: Topics["Service"], how: Extract<Step, { _tag: "Refused" }>["how"]): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const topic = `${this.#prefix}/a`
      const content = this.#contents.next()
      const fail = this.#note(this.#contents.writer(), [topic], [content], "failed")
      switch (how) {
        case "topic":
          yield* Effect.ignore(topics.publish(`${this.#prefix}/a+`, content))
          return yield* fail
        case "batch":
          yield* Effect.ignore(
            topics.publishAll([
              { topic, payload: content },
              { topic: "", payload: content },
            ]),
          )
          return yield* fail
        case "key": {
          const first = this.#contents.next()
          const key = `key of ${first}`
          const publish = topics.publish(topic, first, { key })
          const exit = yield* Effect.exit(publish)
          yield* this.#note(this.#contents.writer(), [topic], [first], exit)
          if (Exit.isFailure(exit)) return
          yield* Effect.ignore(topics.publish(topic, content, { key }))
          return yield* fail
        }
      }
    })
  }

  delete(topics: Topics["Service"], name: string, from: number, to: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const origin = this.#origin
      const topic = `${this.#prefix}/${name}`
      const head = yield* topics.head(topic)
      const exit = yield* Effect.exit(topics.deleteRange(topic, from, to))
      const last = head._tag === "Some" ? Math.min(to, head.value) : 0
      this.deletions.push({ topic, origin, from, to: last, outcome: outcomeOf(exit) })
    }).pipe(Effect.ignore)
  }

  /** Notes messages of another node. */
  replicated(
    log: LogId.LogId,
    messages: ReadonlyArray<ReplicatedMessage>,
    exit: Exit.Exit<unknown, { readonly _tag: string }>,
  ): void {
    const outcome = outcomeOf(exit)
    for (const { offset, payload } of messages) {
      const content = Buffer.from(payload).toString()
      this.writes.push({ writer: "the other node", ...log, content, outcome, ...(outcome === "ok" && { offset }) })
    }
  }

  #note(
    writer: string,
    names: ReadonlyArray<string>,
    contents: ReadonlyArray<string>,
    result: Exit.Exit<Message | ReadonlyArray<Message>, { readonly _tag: string }> | "failed",
  ): Effect.Effect<void> {
    return Effect.sync(() => {
      const origin = this.#origin
      const messages = result !== "failed" && Exit.isSuccess(result) ? [result.value].flat() : []
      const outcome = result === "failed" ? result : outcomeOf(result)
      contents.forEach((content, i) => {
        this.writes.push({ writer, topic: names[i]!, origin, content, outcome, offset: messages[i]?.offset })
      })
    })
  }
}
