/**
 * The promises of a store that several nodes share: one journal, whoever writes; hints of what others wrote; one holder of
 * a queue or a cursor.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { StoreUnusable } from "../../domain/errors.ts"
import { makeHeaders } from "../../domain/Message.ts"
import type { NodeId } from "../../domain/NodeId.ts"
import { deadQueueOf } from "../../domain/QueueItem.ts"
import { type Held, isHold } from "../../storage/Holders.ts"
import { packItems } from "../../storage/parts/ItemBlock.ts"
import { itemsOf } from "../../storage/parts/queuePage.ts"
import type { QueueOperation } from "../../storage/QueueStore.ts"
import { fromContext, type Stores } from "../../storage/Stores.ts"
import { draft, otherNode, ownNode, replica, unlimited } from "./fixtures.ts"
import { readPages } from "./reads.ts"
import type { StorageSuiteOptions, StorePlace } from "./StorePlace.ts"
import { withPlace } from "./withStore.ts"

interface Node extends Stores {
  readonly holders: NonNullable<Stores["holders"]>
  readonly close: Effect.Effect<void>
}

/** How long to wait for what must come. */
const patience = "20 seconds"

const all = { topics: "#", origin: undefined }
const queue: Held = { kind: "queue", name: "work" }

const nodeIds: ReadonlyArray<NodeId> = [ownNode, otherNode, { tenant: "acme", line: "press", device: "three" }]

/** Opens the stores of several nodes on one place, at the same time. */
const withNodes = <A, E>(
  options: StorageSuiteOptions,
  count: number,
  use: (...nodes: ReadonlyArray<Node>) => Effect.Effect<A, E, Scope.Scope>,
): Effect.Effect<A, E | StoreUnusable> =>
  withPlace(options, (place) =>
    Effect.scoped(
      Effect.flatMap(
        Effect.forEach(nodeIds.slice(0, count), (node) => openNode(place, node)),
        (nodes) => use(...nodes),
      ),
    ),
  )

const openNode = Effect.fnUntraced(function* (place: StorePlace, node: NodeId) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (made, exit) => Scope.close(made, exit))
  const stores = fromContext(yield* Layer.buildWithScope(Layer.fresh(place.open({ node })), scope))
  if (stores.holders === undefined) throw new Error("a shared store says who holds what")
  return { ...stores, holders: stores.holders, close: Scope.close(scope, Exit.void) } satisfies Node
})

const inTime = <A, E>(what: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E | Error> =>
  Effect.timeoutOrElse(effect, { duration: patience, orElse: () => Effect.fail(new Error(`${what} took too long`)) })

const textOf = ({ payload }: { readonly payload: Uint8Array }): string => Buffer.from(payload).toString()

/** Holds something until the scope closes. */
const hold = (node: Node, held: Held, takeOver = false) =>
  Effect.map(node.holders.hold(held, takeOver), (result) => {
    if (!isHold(result)) throw new Error(`it is held by ${JSON.stringify(result)}`)
    return result
  })

const enqueue = (name: string, ...texts: ReadonlyArray<string>): QueueOperation => ({
  type: "enqueue",
  queue: name,
  blocks: packItems(
    texts.map((text) => ({
      id: text,
      topic: name,
      source: ownNode,
      target: undefined,
      createdAt: 1000,
      headers: makeHeaders(undefined),
      payload: Buffer.from(text),
      death: undefined,
    })),
  ),
})

const itemsIn = ({ queues }: Stores, name: string) =>
  Effect.map(queues.page(name, 0, unlimited), (page) => itemsOf(name, page, 0, unlimited).map(textOf))

/** Waits until a listener of a node has been told what is expected, and takes the listener away again. */
const told = <A>(
  listen: ((listener: (told: A) => void) => () => void) | undefined,
  isExpected: (told: A) => boolean,
  act: Effect.Effect<unknown, unknown>,
) =>
  Effect.gen(function* () {
    const came = yield* Deferred.make<void>()
    const remove = listen!((what) => void (isExpected(what) && Deferred.doneUnsafe(came, Exit.void)))
    yield* act
    yield* inTime("a hint", Deferred.await(came))
    remove()
  })

export const sharedTests = (options: StorageSuiteOptions): void => {
  journalTests(options)
  queueTests(options)
  recordTests(options)
  holderTests(options)
}

const journalTests = (options: StorageSuiteOptions): void => {
  describe("the journal of several nodes", () => {
    it.live("is open to each of them under its own name, once", () =>
      withPlace(options, (place) =>
        Effect.scoped(
          Effect.gen(function* () {
            const one = yield* openNode(place, ownNode)
            const two = yield* openNode(place, otherNode)
            expect(one.logs.info).toMatchObject({ node: ownNode, isShared: true })
            expect(two.logs.info).toMatchObject({ node: otherNode, isShared: true })
            expect(two.logs.info.incarnation).toBe(one.logs.info.incarnation)
            expect(yield* Effect.flip(openNode(place, ownNode))).toMatchObject({ reason: "held" })
            yield* two.close
            const again = yield* openNode(place, otherNode)
            yield* again.logs.append([[draft("t", "1")]])
            yield* one.logs.append([[draft("t", "2")]])
            expect((yield* readPages(one.logs, 0, all, unlimited)).map(textOf)).toEqual(["1", "2"])
          }),
        ),
      ),
    )

    it.live("is one, and each has logs and keys of its own in it", () =>
      withNodes(options, 2, (one, two) =>
        Effect.gen(function* () {
          const first = yield* one!.logs.append([[draft("t", "1", { key: "k" }), draft("u", "2")]])
          const second = yield* two!.logs.append([[draft("t", "3", { key: "k" })]])
          const third = yield* one!.logs.append([[draft("t", "4")]])
          expect([first, second, third].map(({ offsets }) => offsets)).toEqual([[1, 1], [1], [2]])
          expect([first, second, third].flatMap(({ positions }) => positions)).toEqual([1, 2, 3, 4])
          for (const { logs } of [one!, two!]) {
            expect((yield* readPages(logs, 0, all, unlimited)).map(textOf)).toEqual(["1", "2", "3", "4"])
            expect((yield* logs.readLog({ topic: "t", origin: otherNode }, 1, unlimited)).map(textOf)).toEqual(["3"])
            expect(yield* logs.end).toBe(4)
            expect((yield* logs.heads).map(({ offset }) => offset)).toEqual([2, 1, 1])
          }
        }),
      ),
    )

    it.live("shows to all of them what one has deleted", () =>
      withNodes(options, 2, (one, two) =>
        Effect.gen(function* () {
          yield* one!.logs.append([[draft("t", "1"), draft("t", "2")]])
          yield* two!.logs.append([[draft("t", "3")]])
          const log = { topic: "t", origin: ownNode }
          const marker = { id: "marker", createdAt: 1000 }
          expect(yield* one!.logs.tombstone({ log, from: 1, to: 1, marker })).toMatchObject({ deleted: 1 })
          expect((yield* two!.logs.readLog(log, 1, unlimited)).map(({ deleted }) => deleted)).toEqual([true, false])
          expect(yield* two!.logs.end).toBe(4)
        }),
      ),
    )

    it.live("has no gap and shows none, however many write at once", () =>
      withNodes(options, 3, (...nodes) =>
        Effect.gen(function* () {
          const rounds = 30
          const perRound = 3
          const total = nodes.length * rounds * perRound
          const write = (node: Node) =>
            Effect.forEach(
              Array.from({ length: rounds }, (_, i) => i),
              (round) =>
                node.logs.append([Array.from({ length: perRound }, (_, i) => draft(`t/${i % 2}`, `${round} ${i}`))]),
              { discard: true },
            )
          /** Follows the journal while it is written: what is at a position is there before what is behind it. */
          const read = Effect.fnUntraced(function* (node: Node) {
            const positions: Array<number> = []
            for (let after = 0; after < total;) {
              const page = yield* node.logs.readJournal(after, all, { rows: 7, bytes: 1_000_000 })
              for (const { position } of page.messages) positions.push(position)
              after = page.scannedTo
            }
            return positions
          })
          const reading = Effect.forEach(nodes, read, { concurrency: "unbounded" })
          const writing = Effect.forEach(nodes, write, { concurrency: "unbounded", discard: true })
          const [seen] = yield* inTime("reading", Effect.all([reading, writing], { concurrency: "unbounded" }))
          const expected = Array.from({ length: total }, (_, i) => i + 1)
          for (const positions of seen) expect(positions).toEqual(expected)
          const [journal, ...others] = yield* Effect.forEach(nodes, ({ logs }) => readPages(logs, 0, all, unlimited))
          for (const other of others) expect(other).toEqual(journal)
        }),
      ),
    )

    it.live("has one head for a log that another node discards the end of, and goes on behind it", () =>
      withNodes(options, 2, (one, two) =>
        Effect.gen(function* () {
          const log = { topic: "t", origin: ownNode }
          const keyed = (key: string, text = key) => one!.logs.append([[draft("t", text, { key })]])
          for (const key of ["1", "2", "3", "4"]) yield* keyed(key)
          const limit = { rows: 3, bytes: 1_000_000 }
          const read = (after: number) =>
            Effect.map(two!.logs.readJournal(after, { topics: "t", origin: undefined }, limit), ({ messages }) =>
              messages.map((message) => `${message.position}: ${message.offset} ${textOf(message)}`),
            )
          expect(yield* read(0)).toEqual(["1: 1 1", "2: 2 2", "3: 3 3"])
          expect(yield* two!.logs.discard(log, 2)).toEqual({ head: 1, discarded: 3 })
          expect((yield* keyed("3", "other")).offsets).toEqual([2])
          expect((yield* keyed("1")).repeats.length).toBe(1)
          yield* two!.logs.accept(log, [replica(3, "three"), replica(4, "four")])
          expect((yield* keyed("5")).offsets).toEqual([5])
          expect(yield* read(3)).toEqual(["6: 2 other", "7: 3 three", "8: 4 four"])
          expect(yield* one!.logs.discard(log, 1)).toEqual({ head: 0, discarded: 5 })
          yield* two!.logs.accept(log, [replica(1, "one")])
          expect((yield* keyed("6")).offsets).toEqual([2])
          expect((yield* readPages(two!.logs, 0, all, unlimited)).map(textOf)).toEqual(["one", "6"])
        }),
      ),
    )

    it.live("tells the others when it has moved", () =>
      withNodes(options, 2, (one, two) =>
        Effect.gen(function* () {
          yield* told(two!.logs.onMoved, (end) => end >= 2, one!.logs.append([[draft("t", "1"), draft("t", "2")]]))
          const log = { topic: "t", origin: ownNode }
          const marker = { id: "marker", createdAt: 1000 }
          yield* told(two!.logs.onMoved, (end) => end >= 3, one!.logs.tombstone({ log, from: 1, to: 1, marker }))
          expect(yield* two!.logs.end).toBe(3)
        }),
      ),
    )
  })
}

const queueTests = (options: StorageSuiteOptions): void => {
  describe("a queue of several nodes", () => {
    it.live("is one, whoever enqueues and acknowledges", () =>
      withNodes(options, 2, (one, two) =>
        Effect.gen(function* () {
          yield* one!.queues.apply([enqueue("work", "1", "2")])
          yield* two!.queues.apply([enqueue("work", "3")])
          yield* two!.queues.apply([{ type: "ack", queue: "work", id: "1" }])
          expect(yield* one!.queues.apply([{ type: "ack", queue: "work", id: "1" }])).toMatchObject([
            { accepted: false },
          ])
          yield* one!.queues.apply([{ type: "ackRange", queue: "work", first: 2, last: 2 }])
          for (const node of [one!, two!]) expect(yield* itemsIn(node, "work")).toEqual(["3"])
        }),
      ),
    )

    it.live("lets go of an item once, and keeps all that come, whoever is at it at the same time", () =>
      withNodes(options, 3, (...nodes) =>
        Effect.gen(function* () {
          const atOnce = (operation: (node: number) => QueueOperation) =>
            Effect.forEach(nodes, ({ queues }, node) => queues.apply([operation(node)]), { concurrency: "unbounded" })
          for (let round = 0; round < 5; round++) {
            const texts = nodes.map((_, node) => `${round} ${node}`)
            yield* atOnce((node) => enqueue("work", texts[node]!))
            const items = yield* itemsIn(nodes[0]!, "work")
            expect(items.toSorted()).toEqual(texts)
            for (const id of items) {
              const results = yield* atOnce(() => ({ type: "ack", queue: "work", id }))
              expect(results.flat().filter((result) => result.type === "ack" && result.accepted)).toHaveLength(1)
            }
            expect(yield* itemsIn(nodes[1]!, "work")).toEqual([])
          }
        }),
      ),
    )

    it.live("tells the others when something came", () =>
      withNodes(options, 2, (one, two) =>
        Effect.gen(function* () {
          const tells = (name: string, operation: QueueOperation) =>
            told(two!.queues.onEnqueued, (added) => added === name, one!.queues.apply([operation]))
          yield* tells("work", enqueue("work", "1"))
          const reject = { type: "reject", queue: "work", id: "1", reason: "no", at: 2000, attemptsMax: 1 } as const
          yield* tells(deadQueueOf("work"), reject)
          yield* tells("work", { type: "redrive", queue: "work", itemsMax: 1 })
        }),
      ),
    )
  })

  describe("a named cursor of several nodes", () => {
    it.live("is moved by the last who claimed it, wherever", () =>
      withNodes(options, 2, (one, two) =>
        Effect.gen(function* () {
          const claim = { name: "mail", filter: all, position: 0, at: 1000 }
          const first = yield* one!.cursors.claim(claim)
          const second = yield* two!.cursors.claim(claim)
          expect(second.epoch).toBeGreaterThan(first.epoch)
          expect(yield* one!.cursors.move([{ name: "mail", epoch: first.epoch, position: 1, at: 1000 }])).toEqual([
            false,
          ])
          expect(yield* two!.cursors.move([{ name: "mail", epoch: second.epoch, position: 2, at: 1000 }])).toEqual([
            true,
          ])
          expect(yield* one!.cursors.cursors).toMatchObject([{ name: "mail", position: 2, epoch: second.epoch }])
        }),
      ),
    )
  })
}

const recordTests = (options: StorageSuiteOptions): void => {
  describe("a record of several nodes", () => {
    it.live("is seen, and removed, by the node whose record it is alone", () =>
      withNodes(options, 2, (one, two) =>
        Effect.gen(function* () {
          yield* one!.records.write({ put: [{ key: "a", value: "1" }], remove: [] })
          yield* two!.records.write({
            put: [
              { key: "a", value: "2" },
              { key: "b", value: "2" },
            ],
            remove: [],
          })
          yield* two!.records.write({ put: [], remove: ["a"] })
          expect(yield* one!.records.records("")).toEqual([{ key: "a", value: "1" }])
          expect(yield* two!.records.records("")).toEqual([{ key: "b", value: "2" }])
        }),
      ),
    )
  })
}

const holderTests = (options: StorageSuiteOptions): void => {
  describe("who holds what among several nodes", () => {
    it.live("is one node, until its scope closes; the others are told which", () =>
      withNodes(options, 2, (one, two) =>
        Effect.gen(function* () {
          yield* Effect.scoped(
            Effect.gen(function* () {
              yield* hold(one!, queue)
              expect(yield* two!.holders.hold(queue, false)).toEqual(ownNode)
              yield* hold(two!, { kind: "cursor", name: "work" })
              yield* hold(two!, { kind: "queue", name: "other" })
              expect([...(yield* two!.holders.elsewhere("queue"))]).toEqual([["work", ownNode]])
              expect([...(yield* one!.holders.elsewhere("queue"))]).toEqual([["other", otherNode]])
              expect([...(yield* one!.holders.elsewhere("cursor"))]).toEqual([["work", otherNode]])
            }),
          )
          yield* hold(two!, queue)
          expect(yield* one!.holders.hold(queue, false)).toEqual(otherNode)
        }),
      ),
    )

    it.live("is no question within a node: it holds on until all that hold it let go", () =>
      withNodes(options, 2, (one, two) =>
        Effect.gen(function* () {
          yield* hold(one!, queue)
          yield* Effect.scoped(hold(one!, queue))
          expect(yield* two!.holders.hold(queue, false)).toEqual(ownNode)
        }),
      ),
    )

    it.live("changes by a take-over, and who held it before is told", () =>
      withNodes(options, 2, (one, two) =>
        Effect.gen(function* () {
          const first = yield* hold(one!, queue)
          // Whoever hears of the loss, and wants it back at once, finds it held.
          const again = yield* Effect.forkChild(
            Effect.flatMap(first.lost, () => one!.holders.hold(queue, false)),
            { startImmediately: true },
          )
          const second = yield* hold(two!, queue, true)
          expect(yield* inTime("the loss of a hold", Fiber.join(again))).toEqual(otherNode)
          yield* hold(one!, queue, true)
          yield* inTime("the loss of a hold", second.lost)
          expect([...(yield* two!.holders.elsewhere("queue"))]).toEqual([["work", ownNode]])
        }),
      ),
    )

    it.live("is nobody whose store is closed", () =>
      withNodes(options, 2, (one, two) =>
        Effect.gen(function* () {
          const { lost } = yield* hold(one!, queue)
          yield* one!.close
          yield* inTime("the loss of a hold", lost)
          expect(yield* Effect.flip(one!.holders.hold(queue, true))).toMatchObject({ _tag: "StorageFailed" })
          yield* hold(two!, queue)
        }),
      ),
    )
  })
}
