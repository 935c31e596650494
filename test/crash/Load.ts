/**
 * The load of the crash tests: a publisher that never tires, and notes what came of everything it tried.
 *
 * It publishes in all ways at once, to several topics: one message after another, bursts of which many are under way,
 * messages with keys, and batches that are stored wholly or not at all. What has a key is repeated under it until it is
 * acknowledged, and now and then once more; all else is tried once. While the node is known to be down it waits.
 */
import { Cause, Effect, Exit, Latch } from "effect"
import { defaultNodeId } from "../../src/domain/NodeId.ts"
import type { Message } from "../../src/domain/Message.ts"
import type { Outcome, Write } from "../../src/testing/history.ts"
import type { PublishError, Topics } from "../../src/topics/Topics.ts"

export const topics = ["load/a", "load/b", "load/c", "load/c/1", "load/c/2"] as const

/** Every so many messages with a key, one is published once more after it was acknowledged. */
const repeatEvery = 7
const burstMessages = 16

/** What publishers and whoever kills the node tell each other. */
export interface Traffic {
  /** Open while the node is up. */
  readonly isUp: Latch.Latch
  /** Opened by every acknowledgement. */
  readonly acknowledged: Latch.Latch
}

/** One message to write. */
interface Item {
  readonly topic: string
  readonly content: string
  readonly key: string | undefined
}

/** The outcome of one attempt, as its error tells it. Anything but a lost or failing node is a mistake of the test or a bug. */
const outcomeOf = (exit: Exit.Exit<unknown, PublishError>): Outcome => {
  if (Exit.isSuccess(exit)) return "ok"
  const error = Cause.findErrorOption(exit.cause)
  if (error._tag === "Some" && error.value._tag === "OutcomeUnknown") return "unknown"
  // The latter where the daemon is up and the server of its store is not.
  if (error._tag === "Some" && ["Unavailable", "StorageFailed"].includes(error.value._tag)) return "failed"
  throw new Error(`a publish ended as no publish may: ${Cause.pretty(exit.cause)}`)
}

export class Publisher {
  readonly writes: Array<Write> = []
  /** The contents of each batch that was tried: stored all or none of them. */
  readonly batches: Array<ReadonlyArray<string>> = []
  readonly counts: Record<Outcome, number> = { ok: 0, unknown: 0, failed: 0 }
  readonly #name: string
  readonly #topics: Topics["Service"]
  readonly #traffic: Traffic
  #items = 0
  #isStopping = false

  constructor(name: string, node: Topics["Service"], traffic: Traffic) {
    this.#name = name
    this.#topics = node
    this.#traffic = traffic
  }

  /** Publishes until `stop`, then finishes what it has begun: the node must be up for that. */
  readonly run: Effect.Effect<void> = Effect.suspend(() =>
    Effect.all(
      [
        this.#loop(() => this.#alone("alone 1")),
        this.#loop(() => this.#alone("alone 2")),
        this.#loop(() => this.#burst()),
        this.#loop(() => this.#keyed("keyed 1")),
        this.#loop(() => this.#keyed("keyed 2")),
        this.#loop(() => this.#batch(false)),
        this.#loop(() => this.#batch(true)),
      ],
      { concurrency: "unbounded", discard: true },
    ),
  )

  stop(): void {
    this.#isStopping = true
  }

  #loop(once: () => Effect.Effect<void>): Effect.Effect<void> {
    return Effect.whileLoop({
      while: () => !this.#isStopping,
      body: () => Effect.andThen(Latch.await(this.#traffic.isUp), Effect.suspend(once)),
      step: () => {},
    })
  }

  #item(kind: string, keyed: boolean): Item {
    const number = ++this.#items
    const content = `${this.#name} ${kind} ${number}`
    return { topic: topics[number % topics.length]!, content, key: keyed ? `key of ${content}` : undefined }
  }

  #note(writer: string, { topic, content }: Item, outcome: Outcome, message?: Message): void {
    this.counts[outcome]++
    const log = { topic, origin: defaultNodeId }
    this.writes.push({ writer: `${this.#name} ${writer}`, content, ...log, outcome, offset: message?.offset })
    if (outcome === "ok") Latch.openUnsafe(this.#traffic.acknowledged)
  }

  #publish({ topic, content, key }: Item): Effect.Effect<Exit.Exit<Message, PublishError>> {
    return Effect.exit(this.#topics.publish(topic, content, { key }))
  }

  #alone(writer: string): Effect.Effect<void> {
    const item = this.#item(writer, false)
    return Effect.map(this.#publish(item), (exit) =>
      this.#note(writer, item, outcomeOf(exit), Exit.isSuccess(exit) ? exit.value : undefined),
    )
  }

  #burst(): Effect.Effect<void> {
    const items = Array.from({ length: burstMessages }, () => this.#item("burst", false))
    return Effect.map(
      Effect.forEach(items, (item) => this.#publish(item), { concurrency: "unbounded" }),
      (exits) => {
        for (const [i, exit] of exits.entries()) {
          this.#note("burst", items[i]!, outcomeOf(exit), Exit.isSuccess(exit) ? exit.value : undefined)
        }
      },
    )
  }

  #keyed(writer: string): Effect.Effect<void> {
    const item = this.#item(writer, true)
    return Effect.gen({ self: this }, function* () {
      yield* this.#untilAcknowledged(writer, [item], this.#publish(item))
      if (this.#items % repeatEvery > 0) return
      // Its offset is lower than those that were given since: not for the order of this writer.
      const exit = yield* this.#publish(item)
      this.#note(`${writer} again`, item, outcomeOf(exit), Exit.isSuccess(exit) ? exit.value : undefined)
    })
  }

  #batch(keyed: boolean): Effect.Effect<void> {
    const writer = keyed ? "keyed batch" : "batch"
    const items = Array.from({ length: 2 + (this.#items % 9) }, () => this.#item(writer, keyed))
    this.batches.push(items.map(({ content }) => content))
    const attempt = Effect.exit(
      this.#topics.publishAll(items.map(({ topic, content, key }) => ({ topic, payload: content, key }))),
    )
    if (keyed) return this.#untilAcknowledged(writer, items, attempt)
    return Effect.map(attempt, (exit) => this.#noteAll(writer, items, exit))
  }

  #noteAll(
    writer: string,
    items: ReadonlyArray<Item>,
    exit: Exit.Exit<Message | ReadonlyArray<Message>, PublishError>,
  ): Outcome {
    const outcome = outcomeOf(exit)
    const messages = Exit.isSuccess(exit) ? [exit.value].flat() : []
    for (const [i, item] of items.entries()) this.#note(writer, item, outcome, messages[i])
    return outcome
  }

  /** Tries again under the same keys, whatever became of the attempts before. */
  #untilAcknowledged(
    writer: string,
    items: ReadonlyArray<Item>,
    attempt: Effect.Effect<Exit.Exit<Message | ReadonlyArray<Message>, PublishError>>,
  ): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      while (this.#noteAll(writer, items, yield* attempt) !== "ok") yield* Latch.await(this.#traffic.isUp)
    })
  }
}
