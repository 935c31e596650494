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
import * as LogId from "../domain/LogId.ts"
import { noHeaders } from "../domain/Message.ts"
import type { NodeId } from "../domain/NodeId.ts"
import type { ReplicatedMessage } from "../storage/LogStore.ts"
import { type ReadError, Topics } from "../topics/Topics.ts"
import type { History } from "./history.ts"
import type { Program, Step } from "./program.ts"
import { readAll, Reader, type ReaderOptions, wholeRead } from "./reader.ts"
import { Contents, Recorder } from "./recorder.ts"

/** What a program runs in. `R` is what the layer provides beside `Topics`. */
export interface World<E = never, R = never> {
  /** Built once, and again at each `Reopen`. */
  readonly layer: Layer.Layer<Topics | R, E>
  /** Other nodes on the same store: each step of a program is at one of the nodes. */
  readonly others?: ReadonlyArray<Layer.Layer<Topics | R, E>> | undefined
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

/** A node while it is open. */
interface Session<R> {
  readonly scope: Scope.Closeable
  readonly topics: Topics["Service"]
  readonly provide: <A, E>(effect: Effect.Effect<A, E, Topics | R>) => Effect.Effect<A, E>
}

/** One of the nodes, and what is done there. */
interface Place<E, R> {
  readonly layer: Layer.Layer<Topics | R, E>
  session: Session<R>
  readonly record: Recorder
  readonly node: NodeId
  background: ReadonlyArray<Fiber.Fiber<void>>
  /** Subscribers that are at this node now. */
  readers: ReadonlyArray<Reader>
}

/** Runs a program in topics of its own and gives its history. */
export const run = <E, R>(program: Program, world: World<E, R>): Effect.Effect<History, E | ReadError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const prefix = `laws/${randomUUID()}`
      const readers: Array<Reader> = []
      const replicated = new Map<string, number>()
      const contents = new Contents()
      /** What comes in from the other node, at whichever of these. */
      const replicas = new Recorder(prefix, otherNode, contents)

      const open = Effect.fnUntraced(function* (
        layer: Layer.Layer<Topics | R, E>,
      ): Effect.fn.Return<Session<R>, E, Scope.Scope> {
        const scope = yield* Effect.acquireRelease(Scope.make(), (made, exit) => Scope.close(made, exit))
        const services = yield* Layer.buildWithScope(Layer.fresh(layer), scope)
        const provide: Session<R>["provide"] = (effect) => Effect.provideContext(effect, services)
        return { scope, provide, topics: Context.get(services, Topics) }
      })
      const places = yield* Effect.forEach(
        [world.layer, ...(world.others ?? [])],
        Effect.fnUntraced(function* (layer): Effect.fn.Return<Place<E, R>, E | ReadError, Scope.Scope> {
          const session = yield* open(layer)
          const { node } = yield* session.topics.info
          return { layer, session, node, record: new Recorder(prefix, node, contents), background: [], readers: [] }
        }),
      )

      const follow = ({ session }: Place<E, R>, reader: Reader) =>
        Effect.forkIn(Effect.exit(session.provide(reader.run)), session.scope, { startImmediately: true })

      /** Its subscribers go on where they were, at the next node if there is one. */
      const reopen = Effect.fnUntraced(function* (place: Place<E, R>) {
        const { background, readers: moved } = place
        place.background = []
        place.readers = []
        yield* Scope.close(place.session.scope, Exit.void)
        yield* Fiber.awaitAll(background)
        place.session = yield* open(place.layer)
        const next = places[(places.indexOf(place) + 1) % places.length]!
        next.readers = [...next.readers, ...moved]
        for (const reader of moved) yield* follow(next, reader)
      })

      const publish = Effect.fnUntraced(function* (place: Place<E, R>, step: Extract<Step, { _tag: "Publish" }>) {
        const { record, session } = place
        const fibers = yield* Effect.forEach(step.fibers, (items) =>
          Effect.forkChild(Effect.asVoid(record.publishEach(session.topics, items)), { startImmediately: true }),
        )
        if (step.interrupted) {
          yield* Effect.yieldNow
          yield* Fiber.interruptAll(fibers)
        } else if (step.background) place.background = [...place.background, ...fibers]
        else yield* Fiber.awaitAll(fibers)
      })

      const replicate = Effect.fnUntraced(function* ({ session }: Place<E, R>, topic: string, count: number) {
        if (world.replicate === undefined) return
        const log = { topic: `${prefix}/${topic}`, origin: otherNode }
        const head = replicated.get(topic) ?? 0
        replicated.set(topic, head + count)
        const messages = Array.from({ length: count }, (_, i): ReplicatedMessage => {
          const content = contents.next()
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
        replicas.replicated(log, messages, exit)
      })

      const subscribe = Effect.fnUntraced(function* (place: Place<E, R>, step: Extract<Step, { _tag: "Subscribe" }>) {
        const options: ReaderOptions = {
          name: `reader ${readers.length + 1} of ${step.filter} from ${step.from}`,
          filter: `${prefix}/${step.filter}`,
          origin: step.origin === "all" ? undefined : step.origin === "own" ? place.node : otherNode,
          from: step.from,
          pace: step.pace,
        }
        const reader = new Reader(options)
        readers.push(reader)
        place.readers = [...place.readers, reader]
        yield* follow(place, reader)
      })

      const take = (place: Place<E, R>, step: Step): Effect.Effect<unknown, E | ReadError, Scope.Scope> => {
        const { record, session } = place
        switch (step._tag) {
          case "Publish":
            return publish(place, step)
          case "PublishAll":
            return record.publishAll(session.topics, step.topics)
          case "Refused":
            return record.refused(session.topics, step.how)
          case "Delete":
            return record.delete(session.topics, step.topic, step.from, step.to)
          case "Replicate":
            return replicate(place, step.topic, step.count)
          case "Subscribe":
            return subscribe(place, step)
          case "Reopen":
            return world.reopens === true ? reopen(place) : Effect.void
        }
      }

      for (const step of program) {
        const place = places[step.node ?? 0]!
        yield* take(place, step)
        if (world.probe !== undefined) yield* place.session.provide(world.probe)
      }
      for (const { background } of places) yield* Fiber.awaitAll(background)

      // What was interrupted may still be on its way to the store, where what is read now would not show it: a write that
      // changes nothing, and so tells nobody where the journal ends, comes behind it.
      const settled = ({ session }: Place<E, R>) => Effect.ignore(session.topics.deleteRange(`${prefix}/none`, 1, 1))
      yield* Effect.forEach(places, settled, { discard: true })

      const [final = [], ...others] = yield* Effect.forEach(places, ({ session }) => readAll(session.topics, prefix))
      yield* Effect.forEach(readers, (reader) => reader.finish(final), {
        concurrency: "unbounded",
        discard: true,
      }).pipe(Effect.timeoutOption(world.patienceMillis ?? 5000))
      return {
        writes: [...replicas.writes, ...places.flatMap(({ record }) => record.writes)],
        deletions: places.flatMap(({ record }) => record.deletions),
        final,
        reads: [
          ...readers.map((reader) => reader.read()),
          ...others.map((seen, i) => wholeRead(`node ${i + 2} in the end`, seen, final)),
        ],
      }
    }),
  )
