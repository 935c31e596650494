/**
 * What the stores of several nodes on one disk have in common beside what is on it: hints of what others wrote, and who
 * holds what. What is written is there for all at once; hints are passed on as the options say, for a model of stores
 * whose hints come late, in another order, or not at all.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { StorageFailed } from "../../domain/errors.ts"
import { equals, format, type NodeId } from "../../domain/NodeId.ts"
import type { Held, Hold, Holders } from "../Holders.ts"
import { queuesAddedTo } from "../QueueStore.ts"
import type { Stores } from "../Stores.ts"

export interface SharingOptions {
  /** Passes a hint on, now or later or never; by default soon. */
  readonly pass?: ((deliver: () => void) => void) | undefined
  /** How often each store looks for itself how far the journal is, in milliseconds; by default 1,000, and 0 for never. */
  readonly pollMillis?: number | undefined
}

const pollMillisDefault = 1000

/** Something that a node holds, in one of its scopes. */
interface Holding {
  readonly node: NodeId
  readonly lost: Deferred.Deferred<string>
}

/** One node's listeners. */
class Listeners {
  readonly moved = new Set<(end: number) => void>()
  readonly enqueued = new Set<(queue: string) => void>()
}

const listenTo = <A>(listeners: Set<A>, listener: A): (() => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

const tellLost = (holdings: Iterable<Holding>, why: string): void => {
  for (const { lost } of holdings) Deferred.doneUnsafe(lost, Effect.succeed(why))
}

const heldKey = ({ kind, name }: Held): string => `${kind}\0${name}`

export class Sharing {
  readonly #pass: (deliver: () => void) => void
  readonly #pollMillis: number
  readonly #nodes = new Set<Listeners>()
  /** All holdings of one thing are one node's. */
  readonly #held = new Map<string, Set<Holding>>()

  constructor({ pass = queueMicrotask, pollMillis = pollMillisDefault }: SharingOptions) {
    this.#pass = pass
    this.#pollMillis = pollMillis
  }

  /** A node's stores, which tell the other nodes what they write, for the life of the scope. */
  join(node: NodeId, { cursors, logs, queues, records }: Stores): Effect.Effect<Stores, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const listeners = new Listeners()
      yield* Effect.acquireRelease(
        Effect.sync(() => this.#nodes.add(listeners)),
        () =>
          Effect.sync(() => {
            this.#nodes.delete(listeners)
            this.#letGo(node)
          }),
      )
      const poll = Effect.map(logs.end, (end) => {
        for (const listener of listeners.moved) listener(end)
      })
      if (this.#pollMillis > 0) {
        yield* Effect.forkScoped(Effect.repeat(Effect.ignore(poll), Schedule.spaced(this.#pollMillis)))
      }

      /** Tells the others where the journal ends after a write that has moved it. */
      const telling = <A, E>(write: Effect.Effect<A, E>): Effect.Effect<A, E> =>
        Effect.gen({ self: this }, function* () {
          const before = yield* Effect.orDie(logs.end)
          const result = yield* write
          const end = yield* Effect.orDie(logs.end)
          if (end > before) {
            this.#tell(listeners, ({ moved }) => {
              for (const listener of moved) listener(end)
            })
          }
          return result
        })

      return {
        logs: {
          ...logs,
          append: (requests) => telling(logs.append(requests)),
          accept: (log, messages) => telling(logs.accept(log, messages)),
          tombstone: (request) => telling(logs.tombstone(request)),
          discard: (log, from) => telling(logs.discard(log, from)),
          onMoved: (listener) => listenTo(listeners.moved, listener),
        },
        queues: {
          ...queues,
          apply: (operations) =>
            Effect.map(queues.apply(operations), (results) => {
              for (const queue of queuesAddedTo(operations, results)) {
                this.#tell(listeners, ({ enqueued }) => {
                  for (const listener of enqueued) listener(queue)
                })
              }
              return results
            }),
          onEnqueued: (listener) => listenTo(listeners.enqueued, listener),
        },
        cursors,
        records,
        holders: this.#holders(node, listeners),
      }
    })
  }

  #tell(from: Listeners, hint: (to: Listeners) => void): void {
    for (const to of this.#nodes) {
      if (to === from) continue
      this.#pass(() => {
        if (this.#nodes.has(to)) hint(to)
      })
    }
  }

  #holders(node: NodeId, listeners: Listeners): Holders["Service"] {
    return {
      hold: (held, takeOver) =>
        Effect.map(
          Effect.acquireRelease(
            Effect.suspend(() =>
              this.#nodes.has(listeners)
                ? Effect.succeed(this.#hold(node, heldKey(held), takeOver))
                : Effect.fail(new StorageFailed({ operation: "hold", message: "the store is closed" })),
            ),
            (holding) => Effect.sync(() => this.#release(heldKey(held), holding)),
          ),
          (holding): Hold | NodeId => ("lost" in holding ? { lost: Deferred.await(holding.lost) } : holding),
        ),
      elsewhere: (kind) =>
        Effect.sync(() => {
          const found = new Map<string, NodeId>()
          const prefix = heldKey({ kind, name: "" })
          for (const key of this.#held.keys()) {
            const holder = this.#holderOf(key)
            const isOthers = holder !== undefined && !equals(holder, node)
            if (isOthers && key.startsWith(prefix)) found.set(key.slice(prefix.length), holder)
          }
          return found
        }),
    }
  }

  #holderOf(key: string): NodeId | undefined {
    for (const { node } of this.#held.get(key) ?? []) return node
    return undefined
  }

  #hold(node: NodeId, key: string, takeOver: boolean): Holding | NodeId {
    const holding: Holding = { node, lost: Deferred.makeUnsafe() }
    const before = this.#held.get(key)
    const holder = this.#holderOf(key)
    if (before === undefined || holder === undefined) this.#held.set(key, new Set([holding]))
    else if (equals(holder, node)) before.add(holding)
    else if (!takeOver) return holder
    else {
      // Whoever hears of the loss finds it held.
      this.#held.set(key, new Set([holding]))
      tellLost(before, `it was taken over through node ${format(node)}`)
    }
    return holding
  }

  #release(key: string, holding: Holding | NodeId): void {
    const held = this.#held.get(key)
    if (!("lost" in holding) || held?.delete(holding) !== true) return
    if (held.size === 0) this.#held.delete(key)
  }

  /** A node's store is closed: it holds nothing any more. */
  #letGo(node: NodeId): void {
    for (const key of this.#held.keys()) {
      const holder = this.#holderOf(key)
      if (holder === undefined || !equals(holder, node)) continue
      const before = this.#held.get(key) ?? []
      this.#held.delete(key)
      tellLost(before, "its store was closed")
    }
  }
}
