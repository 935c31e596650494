/**
 * The laws of named cursors, to be run against any node: nothing is skipped, every log comes in order, nothing comes again
 * that was committed, whoever lost the cursor cannot move it, a reset is obeyed.
 *
 * They hold across consumers that fail, are interrupted or replaced, across closing and opening, and across a power cut,
 * after which what was handled and not yet committed may come again.
 */
import { randomUUID } from "node:crypto"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as fc from "fast-check"
import type { Message } from "../domain/Message.ts"
import type { ConsumeError, Topics } from "../topics/Topics.ts"
import { type CursorProgram, cursorPrograms, type CursorStep } from "./cursorProgram.ts"
import { CursorWitness, Session } from "./CursorWitness.ts"
import { holds, type LawBroken, type LawOptions } from "./holds.ts"

type Node = Topics["Service"]

/** A node that is open. */
export interface OpenNode {
  readonly topics: Node
  /** From then on nothing reaches the store. */
  readonly cutPower: Effect.Effect<void>
  /** Another node on the same store, as it is now; without it nothing happens elsewhere. */
  readonly elsewhere?: Effect.Effect<Node, unknown, Scope.Scope> | undefined
  /** Breaks the connections to the node, which are made again. */
  readonly cut?: Effect.Effect<void> | undefined
}

export interface CursorWorld {
  /** Opens the node, for the life of the scope; it has the same store each time. */
  readonly open: Effect.Effect<OpenNode, unknown, Scope.Scope>
  /** How long a consumer may take until it has all there is, in milliseconds. By default 5,000. */
  readonly patienceMillis?: number | undefined
}

/** A consumer of the background. */
interface Follower {
  readonly session: Session
  readonly fiber: Fiber.Fiber<never, ConsumeError>
}

/** Runs a program, and gives what was wrong. */
const run = (program: CursorProgram, world: CursorWorld): Effect.Effect<ReadonlyArray<string>, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      const name = `cursor of ${randomUUID()}`
      const prefix = `laws/${randomUUID()}`
      const filter = `${prefix}/#`
      const patience = world.patienceMillis ?? 5000
      const witness = new CursorWitness()
      let follower: Follower | undefined

      const open = Effect.gen(function* () {
        const scope = yield* Effect.acquireRelease(Scope.make(), (made, exit) => Scope.close(made, exit))
        return { scope, node: yield* Scope.provide(world.open, scope) }
      })
      let current = yield* open

      const stuck = (what: string) => Effect.sync(() => void witness.faults.push(`stuck: ${what}`))
      const inTime = <A, E>(what: string, effect: Effect.Effect<A, E>) =>
        Effect.timeoutOrElse(Effect.asVoid(effect), { duration: patience, orElse: () => stuck(what) })

      const start = <E>(
        node: Node,
        chunks: boolean,
        session: Session,
        handle: (messages: ReadonlyArray<Message>) => Effect.Effect<void, E>,
        live: Deferred.Deferred<void> | undefined,
      ): Effect.Effect<never, ConsumeError | E> => {
        const onLive = live === undefined ? undefined : Effect.asVoid(Deferred.succeed(live, undefined))
        const options = { takeOver: true, onLive }
        const handler = (messages: ReadonlyArray<Message>) =>
          Effect.suspend(() => {
            witness.given(session, messages)
            return Effect.map(handle(messages), () => witness.handled(session, messages))
          })
        return chunks
          ? node.consumeChunks(name, filter, handler, options)
          : node.consume(name, filter, (message) => handler([message]), options)
      }

      /** The cursor is somebody else's now: the follower must end, and say why. */
      const followerLost = Effect.suspend(() => {
        const lost = follower
        follower = undefined
        if (lost === undefined) return Effect.void
        lost.session.isFenced = true
        const ended = Effect.map(Fiber.await(lost.fiber), (exit) => {
          const error = Exit.findErrorOption(exit)
          if (error._tag === "None" || error.value._tag !== "CursorLost") {
            witness.faults.push(`whoever lost the cursor ended with ${JSON.stringify(exit)}`)
          }
        })
        return inTime("whoever lost the cursor went on", ended)
      })

      /** The same where it cannot know yet: it learns of it as soon as it handles something. */
      const followerFenced = Effect.suspend(() => {
        if (follower === undefined) return Effect.void
        follower.session.isFenced = true
        return Effect.andThen(publish(["a"]), followerLost)
      })

      /** The follower has all there is. */
      const caughtUp = Effect.suspend(() => {
        const { fiber } = follower!
        const until = Effect.repeat(Effect.sleep(1), { until: () => witness.pending === 0 })
        const ended = Effect.flatMap(Fiber.await(fiber), (exit) =>
          Effect.sync(() => void witness.faults.push(`a consumer ended by itself: ${JSON.stringify(exit)}`)),
        )
        return inTime(`${witness.pending} messages did not come`, Effect.raceFirst(until, ended))
      })

      const publish = Effect.fnUntraced(function* (topics: ReadonlyArray<string>) {
        const drafts = topics.map((topic) => ({ topic: `${prefix}/${topic}`, payload: `${witness.publish()}` }))
        witness.published(yield* current.node.topics.publishAll(drafts))
      })

      const isThere = (node: Node) =>
        Effect.map(node.cursors, (cursors) => cursors.find((cursor) => cursor.name === name))

      const consume = Effect.fnUntraced(function* (node: Node, { chunks, count, how }: Step<"Consume">) {
        const session = new Session()
        const { pending } = witness
        const target = Math.min(count, pending)
        const fails = how === "fail" && pending > target
        const enough = yield* Deferred.make<void>()
        const handle = (messages: ReadonlyArray<Message>) =>
          Effect.suspend((): Effect.Effect<void, "planned"> => {
            if (fails && session.handled >= target) return Effect.fail("planned")
            const handled = session.handled + messages.length
            // A chunk may have left nothing to fail with.
            if (handled >= (fails ? pending : target)) Deferred.doneUnsafe(enough, Effect.void)
            return Effect.void
          })
        // Where there is nothing to handle, it has begun when it is live.
        const consuming = start(node, chunks, session, handle, pending === 0 ? enough : undefined)
        const exit = yield* Effect.exit(Effect.raceFirst(consuming, Deferred.await(enough))).pipe(
          Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.as(stuck("a consumer"), Exit.void) }),
        )
        const error = Exit.findErrorOption(exit)
        if (error._tag === "Some" && error.value !== "planned") {
          witness.faults.push(`a consumer ended with ${JSON.stringify(error.value)}`)
        }
        witness.ended()
      })

      const follow = Effect.fnUntraced(function* ({ chunks }: Step<"Follow">) {
        const session = new Session()
        const live = yield* Deferred.make<void>()
        const consuming = start(current.node.topics, chunks, session, () => Effect.void, live)
        const before = follower
        const fiber = yield* Effect.forkIn(consuming, current.scope, { startImmediately: true })
        if (before !== undefined) yield* followerLost
        follower = { session, fiber }
        yield* inTime("a consumer did not begin", Deferred.await(live))
        yield* caughtUp
      })

      const reset = Effect.fnUntraced(function* (node: Node, part: number) {
        if ((yield* isThere(node)) === undefined) return
        const { position } = yield* current.node.topics.cursor
        const to = Math.floor((position * part) / 4)
        yield* node.resetCursor(name, to)
        witness.reset(to)
      })

      /** Through another node on the same store, of which this one knows nothing. */
      const elsewhere = <A, E>(use: (node: Node) => Effect.Effect<A, E>): Effect.Effect<void, unknown> =>
        current.node.elsewhere === undefined
          ? Effect.void
          : Effect.andThen(Effect.scoped(Effect.flatMap(current.node.elsewhere, use)), followerFenced)

      const take = (step: CursorStep): Effect.Effect<unknown, unknown, Scope.Scope> => {
        const { topics } = current.node
        switch (step._tag) {
          case "Publish":
            return Effect.andThen(publish(step.topics), follower === undefined ? Effect.void : caughtUp)
          case "Consume":
            if (step.elsewhere) {
              if (follower !== undefined) follower.session.isFenced = true
              return elsewhere((node) => consume(node, step))
            }
            return Effect.andThen(consume(topics, step), followerLost)
          case "Follow":
            return follow(step)
          case "Reset":
            if (step.elsewhere) return elsewhere((node) => reset(node, step.part))
            return Effect.andThen(reset(topics, step.part), followerLost)
          case "Delete":
            return Effect.flatMap(isThere(topics), (cursor) => {
              if (cursor === undefined) return Effect.void
              const deleted = Effect.map(topics.deleteCursor(name), () => witness.reset(0))
              return Effect.andThen(deleted, followerLost)
            })
          case "Cut":
            return current.node.cut ?? Effect.void
          case "Reopen":
            return reopen(step.powerCut)
        }
      }

      const reopen = Effect.fnUntraced(function* (powerCut: boolean) {
        const before = follower
        follower = undefined
        if (powerCut) yield* current.node.cutPower
        yield* Scope.close(current.scope, Exit.void)
        if (before !== undefined) {
          yield* Fiber.await(before.fiber)
          if (!powerCut && !before.session.isFenced) witness.ended()
        }
        current = yield* open
      })

      for (const step of program) {
        yield* take(step)
        const cursor = yield* isThere(current.node.topics)
        if (cursor !== undefined) witness.stands(cursor.position)
        if (witness.faults.length > 0) break
      }
      return witness.faults
    }),
  )

type Step<Tag extends CursorStep["_tag"]> = Extract<CursorStep, { readonly _tag: Tag }>

/** Runs random programs in worlds, each made anew; fails with the smallest one found that breaks a law. */
export const namedCursors = (world: () => CursorWorld, options: LawOptions = {}): Effect.Effect<void, LawBroken> =>
  Effect.gen(function* () {
    const property = fc.asyncProperty(cursorPrograms(options.stepsMax), async (program) => {
      const exit = await Effect.runPromiseExit(run(program, world()))
      if (Exit.isFailure(exit)) throw new Error(`the program could not be run: ${Cause.pretty(exit.cause)}`)
      if (exit.value.length > 0) throw new Error(exit.value.join("\n  "))
    })
    return yield* holds("the law of named cursors", property, options)
  })
