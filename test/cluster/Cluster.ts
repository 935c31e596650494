/**
 * Several nodes on one store under load: all publish at once, on a topic that they share and on topics of their own, until
 * they are told to stop; each is followed by subscribers at other nodes. What was done and seen is a history for the checker.
 *
 * Nodes lose their connections, and their server, meanwhile: a publish that failed, or of which nobody knows, is repeated
 * under its key, and a subscriber whose subscription ended goes on after the last message that it got.
 */
import { Cause, Context, Deferred, Effect, Exit, Layer, type Scope, Stream } from "effect"
import type { Message } from "../../src/domain/Message.ts"
import { format, type NodeId } from "../../src/domain/NodeId.ts"
import type { StoreServices } from "../../src/storage/Stores.ts"
import { check, type Outcome, type Verdict, type Write } from "../../src/testing/history.ts"
import { readAll, Reader, wholeRead } from "../../src/testing/reader.ts"
import { layer as topicsLayer, Topics } from "../../src/topics/index.ts"

export interface ClusterNode {
  readonly node: NodeId
  readonly topics: Topics["Service"]
}

export const clusterNodeId = (i: number): NodeId => ({ tenant: "acme", line: "press", device: `node-${i + 1}` })

/** Opens so many nodes, each over a store of its own, for the life of the scope. */
export const open = (
  count: number,
  storesOf: (node: NodeId) => Layer.Layer<StoreServices, unknown>,
): Effect.Effect<ReadonlyArray<ClusterNode>, unknown, Scope.Scope> =>
  Effect.forEach(
    Array.from({ length: count }, (_, i) => clusterNodeId(i)),
    (node) =>
      Effect.map(Layer.build(Layer.fresh(Layer.provide(topicsLayer, storesOf(node)))), (services) => ({
        node,
        topics: Context.get(services, Topics),
      })),
    { concurrency: "unbounded" },
  )

/** Before a publish, or a subscription, is tried again. */
const pauseMillis = 20

const outcomeOf = (cause: Cause.Cause<{ readonly _tag: string }>): Outcome => {
  const error = Cause.findErrorOption(cause)
  return error._tag === "None" || error.value._tag === "OutcomeUnknown" ? "unknown" : "failed"
}

export class Load {
  readonly writes: Array<Write> = []
  readonly #nodes: ReadonlyArray<ClusterNode>
  readonly #readers: Array<Reader> = []
  #isStopped = false
  #contents = 0

  constructor(nodes: ReadonlyArray<ClusterNode>) {
    this.#nodes = nodes
  }

  /** Acknowledged so far. */
  get acknowledged(): number {
    return this.writes.reduce((sum, { outcome }) => sum + (outcome === "ok" ? 1 : 0), 0)
  }

  /** Publishes one message, however often it takes. */
  publish({ node, topics }: ClusterNode, writer: string, topic: string): Effect.Effect<Message> {
    return Effect.suspend(() => {
      const content = `${writer}, message ${++this.#contents}`
      const once = Effect.onExit(topics.publish(topic, content, { key: content }), (exit) =>
        Effect.sync(() => {
          const told = Exit.isSuccess(exit)
            ? { outcome: "ok" as const, offset: exit.value.offset }
            : { outcome: outcomeOf(exit.cause) }
          this.writes.push({ writer, topic, origin: node, content, ...told })
        }),
      )
      const again: Effect.Effect<Message> = Effect.catch(once, () =>
        Effect.andThen(
          Effect.sleep(pauseMillis),
          Effect.suspend(() => again),
        ),
      )
      return again
    })
  }

  /** All nodes publish at once, until they are told to stop. */
  get publishing(): Effect.Effect<void> {
    const writers = this.#nodes.flatMap((node) => {
      const name = node.node.device
      return ["shared", `own/${name}`].map((topic) =>
        Effect.suspend(() => this.publish(node, `${name} on ${topic}`, topic)).pipe(
          Effect.repeat({ until: () => this.#isStopped }),
        ),
      )
    })
    return Effect.all(writers, { concurrency: "unbounded", discard: true })
  }

  stop(): void {
    this.#isStopped = true
  }

  /** So many subscribers of each node's messages, each at another node, and each of another kind. Done when all are live. */
  subscribe(each: number): Effect.Effect<void, never, Scope.Scope> {
    const count = this.#nodes.length
    return Effect.forEach(
      this.#nodes.flatMap(({ node }, i) =>
        Array.from({ length: each }, (_, j) => {
          const at = this.#nodes[(i + 1 + j) % count]!
          const follows = [
            { filter: "#", origin: undefined },
            { filter: "shared", origin: node },
            { filter: `own/${node.device}`, origin: undefined },
            { filter: "#", origin: node },
          ][j % 4]!
          return { at, ...follows, name: `${follows.filter} of ${format(node)} at ${at.node.device}` }
        }),
      ),
      ({ at, ...options }) => this.#subscribe(at, new Reader({ ...options, from: "start", pace: "fast" })),
      { concurrency: "unbounded", discard: true },
    )
  }

  #subscribe({ topics }: ClusterNode, reader: Reader): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      this.#readers.push(reader)
      const live = yield* Deferred.make<void>()
      const telling = {
        ...topics,
        subscribe: (filter, options = {}) =>
          topics.subscribe(filter, {
            ...options,
            onLive: Effect.andThen(options.onLive ?? Effect.void, Deferred.succeed(live, undefined)),
          }),
      } satisfies Topics["Service"]
      const run = Effect.provideService(reader.run, Topics, telling)
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.exit(run), Effect.sleep(pauseMillis))))
      yield* Deferred.await(live)
    })
  }

  /** What came of it all, when every subscriber has had time to get everything. */
  verdict(patienceMillis: number): Effect.Effect<Verdict, unknown> {
    return Effect.gen({ self: this }, function* () {
      const [final = [], ...others] = yield* Effect.forEach(this.#nodes, ({ topics }) => readAll(topics, ""))
      yield* Effect.forEach(this.#readers, (reader) => reader.finish(final), {
        concurrency: "unbounded",
        discard: true,
      }).pipe(Effect.timeoutOption(patienceMillis))
      return check({
        writes: this.writes,
        deletions: [],
        final,
        reads: [
          ...this.#readers.map((reader) => reader.read()),
          ...others.map((seen, i) => wholeRead(`${this.#nodes[i + 1]!.node.device} in the end`, seen, final)),
        ],
      })
    })
  }
}

/** The journal as a node gives it out: which message is at which position. */
const journalOf = ({ topics }: ClusterNode): Effect.Effect<ReadonlyArray<string>, unknown> =>
  Effect.flatMap(topics.cursor, ({ position }) =>
    topics.subscribe("#", { from: "start" }).pipe(
      Stream.take(position),
      Stream.map((message) => `${message.position} ${message.id}`),
      Stream.runCollect,
    ),
  )

/** Whether all nodes have the same journal, with every position of it. */
export const sameJournals = (nodes: ReadonlyArray<ClusterNode>): Effect.Effect<boolean, unknown> =>
  Effect.map(Effect.forEach(nodes, journalOf), (journals) => {
    const [first = []] = journals
    const hasNoGap = first.every((entry, i) => entry.startsWith(`${i + 1} `))
    return hasNoGap && journals.every((journal) => journal.join() === first.join())
  })
