/**
 * Runs a random program against topics and writes its history.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"
import type * as LogId from "../domain/LogId.ts"
import { noHeaders } from "../domain/Message.ts"
import type { NodeId } from "../domain/NodeId.ts"
import type { ReplicatedMessage } from "../storage/LogStore.ts"
import { type ReadError, Topics } from "../topics/Topics.ts"
import type { History } from "./history.ts"
import type { Program, Step } from "./program.ts"
import { Reader, type ReaderOptions, type Stored, storedOf } from "./reader.ts"
import { Recorder } from "./recorder.ts"

/** What a program runs in. `R` is what the layer provides beside `Topics`. */
export interface World<E = never, R = never> {
  /** Built once, and again at each `Reopen`. */
  readonly layer: Layer.Layer<Topics | R, E>
  /** Whether the layer gives the same store when it is built again; otherwise `Reopen` does nothing. */
  readonly reopens?: boolean | undefined
  /** Takes messages of another node's log; without it `Replicate` does nothing. */
  readonly replicate?:
    | ((
        log: LogId.LogId,
        messages: ReadonlyArray<ReplicatedMessage>,
      ) => Effect.Effect<unknown, { readonly _tag: string }, R>)
    | undefined
  /** Run after every step: dies where something is out of bounds. */
  readonly probe?: Effect.Effect<void, never, R> | undefined
  /** How long readers may take to catch up at the end before they count as stuck, in milliseconds. By default 5,000. */
  readonly patienceMillis?: number | undefined
}

/** The other node whose messages come in. */
export const otherNode: NodeId = { tenant: "tenant", line: "default", device: "another" }

interface Session<R> {
  readonly scope: Scope.Closeable
  readonly topics: Topics["Service"]
  readonly provide: <A, E>(effect: Effect.Effect<A, E, Topics | R>) => Effect.Effect<A, E>
}

/** Runs a program in topics of its own and gives its history. */
export const run = <E, R>(program: Program, world: World<E, R>): Effect.Effect<History, E | ReadError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const prefix = `laws/${randomUUID()}`
      const readers: Array<Reader> = []
      const replicated = new Map<string, number>()
      let background: Array<Fiber.Fiber<void>> = []

      const open = Effect.gen(function* (): Effect.fn.Return<Session<R>, E, Scope.Scope> {
        const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
        const services = yield* Layer.buildWithScope(Layer.fresh(world.layer), scope)
        const provide: Session<R>["provide"] = (effect) => Effect.provideContext(effect, services)
        return { scope, provide, topics: Context.get(services, Topics) }
      })
      let session = yield* open
      const { node } = yield* session.topics.info
      const record = new Recorder(prefix, node)

      const follow = (reader: Reader) =>
        Effect.forkIn(Effect.exit(session.provide(reader.run)), session.scope, { startImmediately: true })

      const reopen = Effect.gen(function* () {
        yield* Scope.close(session.scope, Exit.void)
        yield* Fiber.awaitAll(background)
        background = []
        session = yield* open
        for (const reader of readers) yield* follow(reader)
      })

      const publish = Effect.fnUntraced(function* (step: Extract<Step, { _tag: "Publish" }>) {
        const { topics } = session
        const fibers = yield* Effect.forEach(step.fibers, (items) =>
          Effect.forkChild(Effect.asVoid(record.publishEach(topics, items)), { startImmediately: true }),
        )
        if (step.interrupted) {
          yield* Effect.yieldNow
          yield* Fiber.interruptAll(fibers)
        } else if (step.background) background.push(...fibers)
        else yield* Fiber.awaitAll(fibers)
      })

      const replicate = Effect.fnUntraced(function* (topic: string, count: number) {
        if (world.replicate === undefined) return
        const log = { topic: `${prefix}/${topic}`, origin: otherNode }
        const head = replicated.get(topic) ?? 0
        replicated.set(topic, head + count)
        const messages = Array.from({ length: count }, (_, i): ReplicatedMessage => {
          const content = record.content()
          return {
            offset: head + 1 + i,
            id: randomUUID(),
            createdAt: 0,
            headers: noHeaders,
            payload: Buffer.from(content),
            deleted: false,
          }
        })
        const exit = yield* Effect.exit(session.provide(world.replicate(log, messages)))
        if (Exit.isFailure(exit)) replicated.set(topic, head)
        record.replicated(log, messages, exit)
      })

      const subscribe = Effect.fnUntraced(function* (step: Extract<Step, { _tag: "Subscribe" }>) {
        const options: ReaderOptions = {
          name: `reader ${readers.length + 1} of ${step.filter} from ${step.from}`,
          filter: `${prefix}/${step.filter}`,
          origin: step.origin === "all" ? undefined : step.origin === "own" ? node : otherNode,
          from: step.from,
          pace: step.pace,
        }
        const reader = new Reader(options)
        readers.push(reader)
        yield* follow(reader)
      })

      const take = (step: Step): Effect.Effect<unknown, E | ReadError, Scope.Scope> => {
        switch (step._tag) {
          case "Publish":
            return publish(step)
          case "PublishAll":
            return record.publishAll(session.topics, step.topics)
          case "Refused":
            return record.refused(session.topics, step.how)
          case "Delete":
            return record.delete(session.topics, step.topic, step.from, step.to)
          case "Replicate":
            return replicate(step.topic, step.count)
          case "Subscribe":
            return subscribe(step)
          case "Reopen":
            return world.reopens === true ? reopen : Effect.void
        }
      }

      for (const step of program) {
        yield* take(step)
        if (world.probe !== undefined) yield* session.provide(world.probe)
      }
      yield* Fiber.awaitAll(background)

      const final = yield* readAll(session.topics, prefix)
      yield* Effect.forEach(readers, (reader) => reader.finish(final), {
        concurrency: "unbounded",
        discard: true,
      }).pipe(Effect.timeoutOption(world.patienceMillis ?? 5000))
      return {
        writes: record.writes,
        deletions: record.deletions,
        final,
        reads: readers.map((reader) => reader.read()),
      }
    }),
  )

/** All logs under a prefix, from their beginnings. */
const readAll = Effect.fnUntraced(function* (topics: Topics["Service"], prefix: string) {
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
