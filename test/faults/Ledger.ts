/**
 * Notes what came of everything that is done to a node's topics and queues, in one process or over several of its
 * lives, for the history checker. A payload is a name that no other has, and as many dots as it takes.
 */
import { Cause, Context, Effect, Exit, Option } from "effect"
import { defaultNodeId } from "../../src/domain/NodeId.ts"
import type { QueueItem } from "../../src/domain/QueueItem.ts"
import * as Queues from "../../src/queues/index.ts"
import {
  check,
  type Deletion,
  type Outcome,
  type QueueEvent,
  type Seen,
  type Verdict,
  type Write,
} from "../../src/testing/history.ts"
import { storedOf } from "../../src/testing/reader.ts"
import * as Topics from "../../src/topics/index.ts"

/** What came of an operation: `ok`, or the name of its error. */
export type Came = string

const origin = defaultNodeId

const utf8 = new TextDecoder()
export const nameOf = (payload: Uint8Array | string): string => {
  const text = typeof payload === "string" ? payload : utf8.decode(payload)
  return text.slice(0, text.indexOf("."))
}
const payloadOf = (name: string, bytes: number): string => `${name}.`.padEnd(bytes, ".")

const cameOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>): Came =>
  Exit.match(exit, {
    onSuccess: () => "ok",
    onFailure: (cause) =>
      Option.match(Cause.findErrorOption(cause), {
        onNone: () => {
          throw new Error(`an operation ended as none may: ${Cause.pretty(cause)}`)
        },
        onSome: ({ _tag }) => _tag,
      }),
  })

/** These changed nothing; of everything else nobody knows. */
const failures: ReadonlySet<Came> = new Set(["StorageFailed", "StorageFull", "Unavailable"])

export const outcomeOf = (came: Came): Outcome => (came === "ok" ? "ok" : failures.has(came) ? "failed" : "unknown")

/** What is in a store when everything is over. */
export interface Final {
  readonly messages: ReadonlyArray<Seen>
  readonly queues: ReadonlyMap<string, ReadonlyArray<QueueItem>>
}

/**
 * Mistakes of a bus that the checker must find: *unknown is failed*, where whoever wrote is told that nothing has
 * changed; *always ok*, where whatever comes of a write is acknowledged.
 */
export type Planted = "unknown is failed" | "always ok"

export type Bus = Context.Context<Topics.Topics | Queues.Queues>

export class Ledger {
  readonly writes: Array<Write> = []
  readonly deletions: Array<Deletion> = []
  readonly events = new Map<string, Array<QueueEvent>>()
  /** How often an operation came to what: `publish ok`, `ack OutcomeUnknown`. */
  readonly counts = new Map<string, number>()
  #names = 0
  readonly #planted: Planted | undefined

  constructor(planted?: Planted) {
    this.#planted = planted
  }

  get unknown(): number {
    return this.#sum((came) => outcomeOf(came) === "unknown")
  }

  get acknowledged(): number {
    return this.#sum((came) => came === "ok")
  }

  #sum(counts: (came: Came) => boolean): number {
    let sum = 0
    for (const [name, count] of this.counts) if (counts(name.slice(name.indexOf(" ") + 1))) sum += count
    return sum
  }

  count(operation: string, came: Came): number {
    return this.counts.get(`${operation} ${came}`) ?? 0
  }

  #note(operation: string, came: Came): Outcome {
    this.counts.set(`${operation} ${came}`, this.count(operation, came) + 1)
    const outcome = outcomeOf(came)
    if (this.#planted === "always ok") return "ok"
    return this.#planted === "unknown is failed" && outcome === "unknown" ? "failed" : outcome
  }

  #eventsOf(queue: string): Array<QueueEvent> {
    const found = this.events.get(queue) ?? []
    this.events.set(queue, found)
    return found
  }

  publish(bus: Bus, topic: string, bytes: number): Effect.Effect<Came> {
    return Effect.gen({ self: this }, function* () {
      const name = `message ${++this.#names}`
      const exit = yield* Effect.exit(Context.get(bus, Topics.Topics).publish(topic, payloadOf(name, bytes)))
      const came = cameOf(exit)
      const offset = Exit.isSuccess(exit) ? exit.value.offset : undefined
      // Publishes that are made at once have no order between them that matters here.
      this.writes.push({ topic, origin, writer: name, content: name, outcome: this.#note("publish", came), offset })
      return came
    })
  }

  enqueue(bus: Bus, queue: string, bytes: number): Effect.Effect<Came> {
    return Effect.gen({ self: this }, function* () {
      const content = `item ${++this.#names}`
      const exit = yield* Effect.exit(Context.get(bus, Queues.Queues).enqueue(queue, payloadOf(content, bytes)))
      const came = cameOf(exit)
      const sequence = Exit.isSuccess(exit) ? exit.value.sequence : undefined
      this.#eventsOf(queue).push({ type: "enqueue", content, outcome: this.#note("enqueue", came), sequence })
      return came
    })
  }

  /** Looks at the front of a queue and acknowledges it; gives `empty` where there is none, and `stale` where it was not the front. */
  ackFront(bus: Bus, queue: string): Effect.Effect<Came> {
    return Effect.gen({ self: this }, function* () {
      const queues = Context.get(bus, Queues.Queues)
      const looked = yield* Effect.exit(queues.peek(queue))
      if (Exit.isFailure(looked)) return cameOf(looked)
      if (Option.isNone(looked.value)) return "empty"
      const { id, payload, sequence } = looked.value.value
      const content = nameOf(payload)
      this.#eventsOf(queue).push({ type: "handed out", content, sequence })
      const exit = yield* Effect.exit(queues.ack(queue, id))
      const came = Exit.isSuccess(exit) && !exit.value ? "stale" : cameOf(exit)
      const outcome = came === "stale" ? "failed" : this.#note("ack", came)
      this.#eventsOf(queue).push({ type: "ack", content, sequence, outcome })
      return came
    })
  }

  rejectFront(bus: Bus, queue: string): Effect.Effect<Came> {
    return Effect.gen({ self: this }, function* () {
      const queues = Context.get(bus, Queues.Queues)
      const front = yield* Effect.orDie(queues.peek(queue))
      if (Option.isNone(front)) return "empty"
      const came = cameOf(yield* Effect.exit(queues.reject(queue, front.value.id)))
      this.#note("reject", came)
      return came
    })
  }

  delete(bus: Bus, topic: string, from: number, to: number): Effect.Effect<Came> {
    return Effect.gen({ self: this }, function* () {
      const came = cameOf(yield* Effect.exit(Context.get(bus, Topics.Topics).deleteRange(topic, from, to)))
      this.deletions.push({ topic, origin, from, to, outcome: this.#note("delete", came) })
      return came
    })
  }

  /** Everything that is stored, but for what the bus itself publishes. */
  readFinal(bus: Bus): Effect.Effect<Final, unknown> {
    return Effect.gen({ self: this }, function* () {
      const topics = Context.get(bus, Topics.Topics)
      const queues = Context.get(bus, Queues.Queues)
      const messages: Array<Seen> = []
      for (const { topic, offset: head } of yield* topics.heads) {
        if (topic.startsWith("$")) continue
        let next = 1
        while (next <= head) {
          const page = yield* topics.fetch(topic, { from: next, limit: 10_000 })
          messages.push(...page.map((message) => ({ ...storedOf(message), content: nameOf(message.payload) })))
          next = (page.at(-1)?.offset ?? head) + 1
        }
      }
      const left = new Map<string, ReadonlyArray<QueueItem>>()
      for (const { queue } of yield* queues.queues) {
        const items: Array<QueueItem> = []
        for (;;) {
          const page = yield* queues.items(queue, { after: items.at(-1)?.sequence ?? 0, limit: 10_000 })
          if (page.length === 0) break
          items.push(...page)
        }
        left.set(queue, items)
      }
      return { messages, queues: left }
    })
  }

  verdict({ messages, queues }: Final): Verdict {
    const names = new Set([...this.events.keys(), ...queues.keys()])
    return check({
      writes: this.writes,
      deletions: this.deletions,
      final: messages,
      reads: [],
      queues: [...names].map((queue) => ({
        queue,
        events: this.events.get(queue) ?? [],
        final: (queues.get(queue) ?? []).map(({ payload, sequence }) => ({ content: nameOf(payload), sequence })),
      })),
    })
  }
}

/** The line of a verdict that has found nothing. */
export const clean = "0 lost, 0 duplicate, 0 gap, 0 reordered, 0 phantom, 0 divergent, 0 undone, 0 stuck"
