/**
 * Runs a random program over both planes of one node, or of several on one store, and writes its history: what live
 * clients got of durable topics is checked as any other read of them.
 */
import { Context, Effect, Exit, Fiber, Layer, type Scope } from "effect"
import { bus } from "../../../src/domain/ClientName.ts"
import * as NodeId from "../../../src/domain/NodeId.ts"
import { Exchange, type ExchangeClient } from "../../../src/exchange/index.ts"
import type { History, Outcome, Write } from "../../../src/testing/history.ts"
import { readAll, type Stored } from "../../../src/testing/reader.ts"
import { Topics } from "../../../src/topics/index.ts"
import { LiveReader } from "./LiveReader.ts"
import type { Program } from "./program.ts"

type Place = Layer.Layer<Topics | Exchange, unknown>

/** What is written, with who published it where: absent, where it was no live client. */
interface Attempt extends Omit<Write, "outcome" | "offset"> {
  outcome: Outcome
  readonly client: string | undefined
  readonly at: number
}

export interface Ran {
  readonly history: History
  /** What the checker does not look at: senders, and the order over all logs. */
  readonly problems: ReadonlyArray<string>
}

/** Nothing takes that long. */
const hangMillis = 20_000

const outcomeOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>): Outcome => {
  if (Exit.isSuccess(exit)) return "ok"
  const [reason] = exit.cause.reasons
  return reason?._tag === "Fail" && reason.error._tag !== "OutcomeUnknown" ? "failed" : "unknown"
}

export const run = (program: Program, places: ReadonlyArray<Place>, patienceMillis: number): Effect.Effect<Ran> =>
  Effect.gen(function* () {
    const nodes = yield* Effect.forEach(places, (layer) =>
      Effect.gen(function* () {
        const services = yield* Layer.build(Layer.fresh(layer))
        const topics = Context.get(services, Topics)
        const { connect } = Context.get(services, Exchange)
        const connected = (name: string) => connect(name)
        const clients = new Map<string, ExchangeClient>()
        for (const name of ["ada", "bob", "toggler"]) clients.set(name, yield* connected(name))
        return { topics, connect, clients, origin: (yield* topics.info).node, toggled: new Set<string>() }
      }),
    )
    const attempts: Array<Attempt> = []
    const readers: Array<LiveReader> = []
    const background: Array<Fiber.Fiber<unknown>> = []

    const attempt = (node: number, topic: string, client: string | undefined): Attempt => {
      const { origin } = nodes[node]!
      const writer = `${client ?? `somebody ${attempts.length}`} at ${NodeId.format(origin)}`
      const made: Attempt = {
        writer,
        content: `content ${attempts.length + 1}`,
        topic,
        origin,
        outcome: "unknown",
        client,
        at: node,
      }
      attempts.push(made)
      return made
    }
    const noted = <A, E extends { readonly _tag: string }, R>(
      made: ReadonlyArray<Attempt>,
      effect: Effect.Effect<A, E, R>,
    ) =>
      Effect.ignore(
        Effect.onExit(effect, (exit) =>
          Effect.sync(() => {
            for (const one of made) one.outcome = outcomeOf(exit)
          }),
        ),
      )

    const take = (step: Program[number]): Effect.Effect<unknown, unknown, Scope.Scope> => {
      const node = nodes[step.node]!
      switch (step._tag) {
        case "Live": {
          const client = node.clients.get(step.client)!
          const made = Array.from({ length: step.count }, () => attempt(step.node, step.topic, step.client))
          // Each by itself, so that each has an outcome of its own; they are sent in this order.
          const publishing = made.map((one) => noted([one], client.publish(step.topic, one.content)))
          return Effect.gen(function* () {
            const fibers: Array<Fiber.Fiber<void>> = []
            for (const one of publishing) fibers.push(yield* Effect.forkScoped(one, { startImmediately: true }))
            if (step.waits) yield* Fiber.awaitAll(fibers)
            else background.push(...fibers)
          })
        }
        case "Durable": {
          const made = Array.from({ length: step.count }, () => attempt(step.node, step.topic, undefined))
          if (step.atOnce) {
            const drafts = made.map(({ content, topic }) => ({ topic, payload: content }))
            return noted(made, node.topics.publishAll(drafts))
          }
          return Effect.forEach(made, (one) => noted([one], node.topics.publish(one.topic, one.content)), {
            concurrency: "unbounded",
          })
        }
        case "Subscribe":
          return Effect.gen(function* () {
            const name = `reader ${readers.length + 1} of ${step.filter}`
            const client = yield* node.connect(name, step.isSlow ? { inboxFramesMax: 16 } : {})
            yield* client.subscribe(step.filter)
            const startMax = (yield* node.topics.cursor).position
            const reader = new LiveReader({ name, startMax, ...step })
            readers.push(reader)
            yield* Effect.forkScoped(reader.run(client), { startImmediately: true })
          })
        case "Toggle": {
          const client = node.clients.get("toggler")!
          if (node.toggled.delete(step.filter)) return client.unsubscribe(step.filter)
          node.toggled.add(step.filter)
          return client.subscribe(step.filter)
        }
        case "Pause":
          return Effect.sleep(1)
      }
    }

    const unanswered = (): string =>
      attempts
        .filter(({ outcome }) => outcome === "unknown")
        .map(({ content, writer }) => `${content} of ${writer}`)
        .join(", ")
    /** What hangs is a finding too. */
    const bounded = <A, E, R>(what: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.timeoutOrElse(effect, {
        duration: hangMillis,
        orElse: () => Effect.die(new Error(`${what} hangs; without an answer: ${unanswered()}`)),
      })
    for (const step of program) yield* bounded(JSON.stringify(step), take(step))
    yield* bounded("a publish", Fiber.awaitAll(background))

    const final: ReadonlyArray<Stored> = yield* Effect.map(readAll(nodes[0]!.topics, ""), (all) =>
      all.toSorted((a, b) => a.position - b.position),
    )
    yield* Effect.timeoutOption(
      Effect.forEach(readers, (reader) => reader.complete(final), { concurrency: "unbounded", discard: true }),
      patienceMillis,
    )
    const offsets = new Map(final.map(({ content, offset }) => [content, offset]))
    const senders = new Map(attempts.map((one) => [one.content, one]))
    const senderOf = (content: string, node: number): string => {
      const one = senders.get(content)
      return one?.client !== undefined && one.at === node ? one.client : bus
    }
    return {
      history: {
        // Live publishers are not told where: what was acknowledged must be somewhere.
        writes: attempts.map((one) => ({ ...one, offset: offsets.get(one.content) ?? Number.MAX_SAFE_INTEGER })),
        deletions: [],
        final: final.toSorted((a, b) => a.offset - b.offset),
        reads: readers.map((reader) => reader.read(final)),
      },
      problems: readers.flatMap((reader) => reader.problems(final, senderOf)),
    }
  }).pipe(Effect.scoped, Effect.orDie)
