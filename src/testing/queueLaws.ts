/**
 * The laws of queues (I6), to be run against any layer that provides `Queues`: an application's own storage, its own
 * decorators around the service, or a node elsewhere.
 *
 * Random programs (see `queueProgram`) run on the layer and on a model; every answer, every call of a taker's handler,
 * and what is in the queue and in its dead queue after each step have to be the same. A broken law names the smallest
 * program found that breaks it and the seed that finds it again.
 *
 * ```ts
 * it.live("keeps the order", () => QueueLaws.fifo({ layer: MyQueues.layer }))
 * ```
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as fc from "fast-check"
import { randomUUID } from "node:crypto"
import { deadQueueOf, type QueueItem } from "../domain/QueueItem.ts"
import { Queues } from "../queues/Queues.ts"
import { holds, type LawBroken, type LawOptions } from "./holds.ts"
import { callOf, ModelQueue, type QueueProgram, queuePrograms, type QueueStep, type Work } from "./queueProgram.ts"

export interface QueueWorld<E, R = never> {
  readonly layer: Layer.Layer<Queues | R, E>
  /** Other nodes on the same store: each step of a program is at one of the nodes. */
  readonly others?: ReadonlyArray<Layer.Layer<Queues | R, E>> | undefined
  /** Whether what is stored is there again when the layer is built anew. By default it is not asked for. */
  readonly reopens?: boolean | undefined
  /** How long to wait for what should happen, in milliseconds. By default 10,000. */
  readonly patienceMillis?: number | undefined
}

type Service = Queues["Service"]

/** I6: a queue gives its items in order, each until it is acknowledged or dead, and loses none. */
export const fifo = <E, R>(
  world: QueueWorld<E, R> | (() => QueueWorld<E, R>),
  options: LawOptions = {},
): Effect.Effect<void, LawBroken> =>
  Effect.gen(function* () {
    const nodes = typeof world === "function" ? options.nodes : 1 + (world.others?.length ?? 0)
    const property = fc.asyncProperty(queuePrograms(options.stepsMax, nodes), async (program) => {
      const exit = await Effect.runPromiseExit(run(program, typeof world === "function" ? world() : world))
      if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    })
    return yield* holds("I6, a queue,", property, options)
  })

const run = <E, R>(program: QueueProgram, world: QueueWorld<E, R>): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const queue = `law ${randomUUID()}`
    const model = new ModelQueue()
    const contents = { next: 0 }
    const layers = [world.layer, ...(world.others ?? [])]
    const open = Effect.fnUntraced(function* (layer: Layer.Layer<Queues | R, E>) {
      const scope = yield* Effect.acquireRelease(Scope.make(), (made, exit) => Scope.close(made, exit))
      return { scope, queues: Context.get(yield* Layer.buildWithScope(Layer.fresh(layer), scope), Queues) }
    })
    const opened = yield* Effect.forEach(layers, open)
    for (const [i, step] of program.entries()) {
      const what = `step ${i + 1}, ${step.type}`
      const node = step.node ?? 0
      const { queues, scope } = opened[node]!
      const enqueuer = opened[step.enqueuer ?? node]!.queues
      if (step.type !== "restart") {
        yield* new Runner(queues, enqueuer, queue, model, contents, what, world.patienceMillis ?? 10_000).step(step)
      } else if (world.reopens === true) {
        yield* Scope.close(scope, Exit.void)
        opened[node] = yield* open(layers[node]!)
      }
      for (const each of opened) yield* compare(each.queues, queue, model, what)
    }
  }).pipe(Effect.scoped)

/** What is stored has to be what the model has. */
const compare = (queues: Service, queue: string, model: ModelQueue, what: string) =>
  Effect.gen(function* () {
    const shown = (items: ReadonlyArray<QueueItem>) =>
      items.map(({ attempts, death, payload, sequence }) => ({
        content: textOf(payload),
        sequence,
        attempts,
        died: death === undefined ? undefined : { sequence: death.sequence, attempts: death.attempts },
      }))
    same(`${what}: the queue is`, shown(yield* queues.items(queue, { limit: 1000 })), model.items)
    same(`${what}: the dead queue is`, shown(yield* queues.items(deadQueueOf(queue), { limit: 1000 })), model.dead)
  })

const textOf = (payload: Uint8Array): string => Buffer.from(payload).toString()

const same = (what: string, actual: unknown, expected: unknown): void => {
  if (JSON.stringify(actual) === JSON.stringify(expected)) return
  throw new Error(`${what} ${JSON.stringify(actual)}, and should be ${JSON.stringify(expected)}`)
}

/** Runs one step on the queue and on the model. */
class Runner {
  private readonly queues: Service
  private readonly enqueuer: Service
  private readonly queue: string
  private readonly model: ModelQueue
  private readonly contents: { next: number }
  private readonly what: string
  private readonly patienceMillis: number

  constructor(
    queues: Service,
    enqueuer: Service,
    queue: string,
    model: ModelQueue,
    contents: { next: number },
    what: string,
    patienceMillis: number,
  ) {
    this.queues = queues
    this.enqueuer = enqueuer
    this.queue = queue
    this.model = model
    this.contents = contents
    this.what = what
    this.patienceMillis = patienceMillis
  }

  step(step: Exclude<QueueStep, { type: "restart" }>): Effect.Effect<void, unknown> {
    const { model, queue, queues, what } = this
    return Effect.gen({ self: this }, function* () {
      switch (step.type) {
        case "enqueue":
          return yield* this.enqueue(step.items, step.atOnce)
        case "take":
          return yield* this.take(step.work, step.attemptsMax, step.enqueuing)
        case "ack": {
          const item = yield* this.at(step.aim)
          same(`${what}: accepted`, yield* queues.ack(queue, item.id), model.ack(item.content))
          return
        }
        case "reject": {
          const { attemptsMax } = step
          const item = yield* this.at(step.aim)
          const { accepted, attempts, isDead } = yield* queues.reject(queue, item.id, { attemptsMax })
          const expected = model.reject(item.content, attemptsMax)
          same(
            `${what}: the rejection`,
            { accepted, attempts, isDead },
            { accepted: expected !== undefined, attempts: 0, isDead: false, ...expected },
          )
          return
        }
        case "redrive":
          same(`${what}: moved`, yield* queues.redrive(queue, step.itemsMax), model.redrive(step.itemsMax))
      }
    })
  }

  /** An item, counted from the front; one that is not there where the queue is shorter. */
  private at(index: number) {
    return Effect.map(this.queues.items(this.queue, { limit: index + 1 }), (items) => {
      const item = items[index]
      return item === undefined ? { id: "nothing", content: "nothing" } : { id: item.id, content: textOf(item.payload) }
    })
  }

  /** Enqueues items with new contents. Those that go at once are stored in an order that shows only then. */
  private enqueue(count: number, atOnce: boolean): Effect.Effect<void, unknown> {
    const contents = Array.from({ length: count }, () => `item ${++this.contents.next}`)
    return Effect.map(
      Effect.forEach(contents, (content) => this.enqueuer.enqueue(this.queue, content), {
        concurrency: atOnce ? "unbounded" : 1,
      }),
      (items) => {
        const inOrder = items.toSorted((a, b) => a.sequence - b.sequence)
        for (const { payload, sequence } of inOrder) {
          same(`${this.what}: a sequence is`, sequence, this.model.enqueue(textOf(payload)))
        }
      },
    )
  }

  private take(work: ReadonlyArray<Work>, attemptsMax: number, enqueuing: number): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      const { model, patienceMillis, queue, queues, what } = this
      const calls: Array<string> = []
      const isCutOff = yield* Deferred.make<void>()
      const handler = (item: QueueItem): Effect.Effect<void, string> =>
        Effect.suspend(() => {
          const outcome = work[calls.length]
          calls.push(callOf({ content: textOf(item.payload), attempts: item.attempts }))
          if (outcome === undefined) return Effect.andThen(Deferred.succeed(isCutOff, undefined), Effect.never)
          if (outcome === "done") return Effect.void
          return outcome === "failed" ? Effect.fail("it failed") : Effect.die(new Error("it died"))
        })
      const taker = yield* Effect.forkChild(queues.take(queue, handler, { attemptsMax, backoff: () => 0 }), {
        startImmediately: true,
      })
      yield* this.enqueue(enqueuing, false)
      const expected = model.take(work, attemptsMax)
      // Either the work is over, and it is in the middle of the next item; or the queue is.
      const isEmpty = Effect.map(queues.peek(queue), (front) => Option.isNone(front) && calls.length >= expected.length)
      const isOver: Effect.Effect<unknown, unknown> =
        expected.length > work.length
          ? Deferred.await(isCutOff)
          : Effect.repeat(isEmpty, { schedule: Schedule.spaced("1 millis"), until: (empty) => empty })
      const ended: Effect.Effect<never, unknown> = Fiber.join(taker)
      yield* Effect.timeoutOption(Effect.raceFirst(isOver, ended), patienceMillis)
      yield* Fiber.interrupt(taker)
      same(`${what}: the handler was called with`, calls, expected)
    })
  }
}
