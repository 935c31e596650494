/**
 * The promises of a store of queues: order, the front alone, attempts, the dead queue and the way back from it.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { makeHeaders } from "../../domain/Message.ts"
import { deadQueueOf } from "../../domain/QueueItem.ts"
import { type ItemContent, packItems } from "../../storage/parts/ItemBlock.ts"
import type { PageLimit } from "../../storage/LogStore.ts"
import { itemsOf } from "../../storage/parts/queuePage.ts"
import type { QueueOperation, QueueStore } from "../../storage/QueueStore.ts"
import { otherNode, ownNode, unlimited } from "./fixtures.ts"
import { itReopens } from "./itReopens.ts"
import { QueueModel } from "./QueueModel.ts"
import type { StorageSuiteOptions } from "./StorePlace.ts"
import { openedQueues, withPlace, withQueues } from "./withStore.ts"

type Queues = QueueStore["Service"]

/** An item whose payload is its id. */
const item = (id: string, more: Partial<ItemContent> = {}): ItemContent => ({
  id,
  topic: "work",
  source: ownNode,
  target: undefined,
  createdAt: 1000,
  headers: makeHeaders(undefined),
  payload: Buffer.from(id),
  death: undefined,
  ...more,
})

const enqueueAll = (queue: string, items: ReadonlyArray<ItemContent>): QueueOperation => ({
  type: "enqueue",
  queue,
  blocks: packItems(items),
})
const enqueue = (queue: string, ...ids: ReadonlyArray<string>): QueueOperation =>
  enqueueAll(
    queue,
    ids.map((id) => item(id)),
  )
const ack = (queue: string, id: string): QueueOperation => ({ type: "ack", queue, id })
const reject = (queue: string, id: string, attemptsMax?: number): QueueOperation => ({
  type: "reject",
  queue,
  id,
  reason: `${id} failed`,
  at: 2000,
  attemptsMax,
})
const ackRange = (queue: string, first: number, last: number): QueueOperation => ({
  type: "ackRange",
  queue,
  first,
  last,
})
const redrive = (queue: string, itemsMax: number): QueueOperation => ({ type: "redrive", queue, itemsMax })

const read = (queues: Queues, queue: string, after = 0, limit: PageLimit = unlimited) =>
  Effect.map(queues.page(queue, after, limit), (page) => itemsOf(queue, page, after, limit))

const idsIn = (queues: Queues, queue: string) => Effect.map(read(queues, queue), (items) => items.map(({ id }) => id))

export const queueTests = (options: StorageSuiteOptions): void => {
  describe("a queue", () => {
    it.live("gives its items in the order in which they came, with all that they say", () =>
      withQueues(options, (queues) =>
        Effect.gen(function* () {
          const first = item("a", { target: otherNode, headers: makeHeaders({ k: "ü" }), createdAt: 5 })
          const second = item("b", { topic: "größe", payload: new Uint8Array(0) })
          const results = yield* queues.apply([enqueueAll("jobs", [first, second]), enqueue("jobs", "c")])
          expect(results).toEqual([
            { type: "enqueue", firstSequence: 1 },
            { type: "enqueue", firstSequence: 3 },
          ])
          const items = yield* read(queues, "jobs")
          expect(items.map((one) => ({ ...one, payload: Buffer.from(one.payload).toString() }))).toEqual([
            { ...first, queue: "jobs", sequence: 1, attempts: 0, payload: "a" },
            { ...second, queue: "jobs", sequence: 2, attempts: 0, payload: "" },
            { ...item("c"), queue: "jobs", sequence: 3, attempts: 0, payload: "c" },
          ])
        }),
      ),
    )

    it.live("lets go only of its front", () =>
      withQueues(options, (queues) =>
        Effect.gen(function* () {
          yield* queues.apply([enqueue("jobs", "a", "b", "c")])
          expect(
            yield* queues.apply([ack("jobs", "b"), ack("jobs", "a"), ack("jobs", "a"), ack("other", "a")]),
          ).toEqual([
            { type: "ack", accepted: false },
            { type: "ack", accepted: true },
            { type: "ack", accepted: false },
            { type: "ack", accepted: false },
          ])
          expect(yield* idsIn(queues, "jobs")).toEqual(["b", "c"])
          expect(yield* queues.apply([ack("jobs", "b"), ack("jobs", "c"), enqueue("jobs", "d")])).toEqual([
            { type: "ack", accepted: true },
            { type: "ack", accepted: true },
            { type: "enqueue", firstSequence: 4 },
          ])
        }),
      ),
    )

    it.live("takes an item and lets go of it within one batch", () =>
      withQueues(options, (queues) =>
        Effect.gen(function* () {
          yield* queues.apply([enqueue("jobs", "a", "b"), ack("jobs", "a"), reject("jobs", "b"), reject("jobs", "b")])
          const [left] = yield* read(queues, "jobs")
          expect(left).toMatchObject({ id: "b", sequence: 2, attempts: 2 })
          expect(yield* queues.queues).toEqual([{ queue: "jobs", depth: 1, lastSequence: 2, oldestAt: 1000 }])
        }),
      ),
    )

    it.live("counts the attempts of its front, which stays there", () =>
      withQueues(options, (queues) =>
        Effect.gen(function* () {
          yield* queues.apply([enqueue("jobs", "a", "b")])
          expect(yield* queues.apply([reject("jobs", "a"), reject("jobs", "b"), reject("jobs", "a")])).toEqual([
            { type: "reject", accepted: true, attempts: 1, isDead: false },
            { type: "reject", accepted: false, attempts: 0, isDead: false },
            { type: "reject", accepted: true, attempts: 2, isDead: false },
          ])
          const items = yield* read(queues, "jobs")
          expect(items.map(({ attempts, id }) => `${id} ${attempts}`)).toEqual(["a 2", "b 0"])
        }),
      ),
    )

    it.live("moves what failed too often to the dead queue, with its history, and takes it back", () =>
      withQueues(options, (queues) =>
        Effect.gen(function* () {
          yield* queues.apply([enqueue("jobs", "a", "b")])
          yield* queues.apply([reject("jobs", "a", 3), reject("jobs", "a", 3)])
          expect(yield* queues.apply([reject("jobs", "a", 3)])).toEqual([
            { type: "reject", accepted: true, attempts: 3, isDead: true },
          ])
          expect(yield* idsIn(queues, "jobs")).toEqual(["b"])
          const dead = yield* read(queues, deadQueueOf("jobs"))
          expect(dead).toMatchObject([
            { id: "a", attempts: 0, death: { sequence: 1, attempts: 3, reason: "a failed", at: 2000 } },
          ])
          expect(yield* queues.apply([redrive("jobs", 10), redrive("jobs", 10)])).toEqual([
            { type: "redrive", moved: 1 },
            { type: "redrive", moved: 0 },
          ])
          const items = yield* read(queues, "jobs")
          expect(items).toMatchObject([{ id: "b" }, { id: "a", sequence: 3, attempts: 0, death: undefined }])
          expect(yield* idsIn(queues, deadQueueOf("jobs"))).toEqual([])
        }),
      ),
    )

    it.live("is read in pages, from a sequence on, bounded in items and bytes", () =>
      withQueues(options, (queues) =>
        Effect.gen(function* () {
          const large = Buffer.alloc(100_000)
          yield* queues.apply([
            enqueue("jobs", "a", "b", "c"),
            enqueueAll(
              "jobs",
              ["d", "e", "f"].map((id) => item(id, { payload: large })),
            ),
          ])
          const page = (after: number, rows: number, bytes: number) =>
            Effect.map(read(queues, "jobs", after, { rows, bytes }), (items) => items.map(({ id }) => id).join(""))
          expect(yield* page(0, 2, 1000)).toBe("ab")
          expect(yield* page(2, 10, 1000)).toBe("c")
          expect(yield* page(3, 10, 1000)).toBe("d")
          expect(yield* page(3, 10, 250_000)).toBe("de")
          expect(yield* page(6, 10, 1000)).toBe("")
        }),
      ),
    )

    it.live("lets go of a range that begins at its front, whatever blocks it is in", () =>
      withQueues(options, (queues) =>
        Effect.gen(function* () {
          yield* queues.apply([enqueue("jobs", "a", "b", "c"), enqueue("jobs", "d", "e")])
          expect(yield* queues.apply([ackRange("jobs", 2, 3), ackRange("jobs", 1, 4), ackRange("jobs", 1, 1)])).toEqual(
            [
              { type: "ackRange", removed: 0 },
              { type: "ackRange", removed: 4 },
              { type: "ackRange", removed: 0 },
            ],
          )
          expect(yield* idsIn(queues, "jobs")).toEqual(["e"])
          expect(yield* queues.apply([enqueue("jobs", "f"), ackRange("jobs", 5, 9), ackRange("jobs", 7, 7)])).toEqual([
            { type: "enqueue", firstSequence: 6 },
            { type: "ackRange", removed: 2 },
            { type: "ackRange", removed: 0 },
          ])
          expect(yield* queues.queues).toEqual([{ queue: "jobs", depth: 0, lastSequence: 6, oldestAt: undefined }])
        }),
      ),
    )

    it.live("keeps what thousands of items of many kinds say, in order, through acknowledgements and moves", () =>
      withQueues(options, (queues) =>
        Effect.gen(function* () {
          const items = Array.from({ length: 3000 }, (_, i) =>
            item(`item-${i + 1}`, {
              topic: i % 7 === 0 ? `topic ${i % 3}` : "work",
              target: i % 11 === 0 ? otherNode : undefined,
              createdAt: 1000 + i,
            }),
          )
          yield* queues.apply([enqueueAll("jobs", items.slice(0, 1800)), enqueueAll("jobs", items.slice(1800))])
          yield* queues.apply([ackRange("jobs", 1, 1500), ack("jobs", "item-1501"), reject("jobs", "item-1502", 1)])
          yield* queues.apply([ackRange("jobs", 1503, 2500), ack("jobs", "item-2501"), redrive("jobs", 1)])
          const left = yield* read(queues, "jobs", 0, { rows: 10_000, bytes: 10_000_000 })
          const expected = [...items.slice(2501), items[1501]!].map((one) => ({ ...one, payload: expect.anything() }))
          expect(left).toMatchObject(expected)
          expect(left.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 500 }, (_, i) => 2502 + i))
        }),
      ),
    )

    itReopens(options, "is as it was when the store is opened again, and numbers on", () =>
      withPlace(options, (place) =>
        Effect.gen(function* () {
          yield* openedQueues(place, (queues) =>
            queues.apply([enqueue("jobs", "a", "b"), ack("jobs", "a"), reject("jobs", "b"), ack("jobs", "c")]),
          )
          yield* openedQueues(place, (queues) => queues.apply([reject("jobs", "b", 2), enqueue("jobs", "c")]))
          yield* openedQueues(place, (queues) =>
            Effect.gen(function* () {
              expect(yield* queues.queues).toEqual([
                { queue: "jobs", depth: 1, lastSequence: 3, oldestAt: 1000 },
                { queue: deadQueueOf("jobs"), depth: 1, lastSequence: 1, oldestAt: 1000 },
              ])
            }),
          )
        }),
      ),
    )
  })

  describe("any program of queue operations", () => {
    it.live(
      "gives what the model gives",
      () =>
        Effect.promise(() =>
          fc.assert(
            fc.asyncProperty(program, (batches) => Effect.runPromise(withQueues(options, (q) => run(q, batches)))),
            { numRuns: options.programs ?? 50 },
          ),
        ),
      120_000,
    )
  })
}

/** What a program does; an ack or a reject aims at an item counted from the front. */
type Step =
  | { readonly type: "enqueue"; readonly queue: string; readonly items: number }
  | { readonly type: "ack"; readonly queue: string; readonly aim: number }
  | { readonly type: "ackRange"; readonly queue: string; readonly aim: number; readonly items: number }
  | { readonly type: "reject"; readonly queue: string; readonly aim: number; readonly attemptsMax: number | undefined }
  | { readonly type: "redrive"; readonly queue: string; readonly itemsMax: number }

const queueName = fc.constantFrom("jobs", "mail", "jobs.dead")
const aim = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(2))
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("enqueue" as const),
      queue: queueName,
      items: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("ackRange" as const),
      queue: queueName,
      aim,
      items: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("ack" as const), queue: queueName, aim }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("reject" as const),
      queue: queueName,
      aim,
      attemptsMax: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("redrive" as const),
      queue: fc.constantFrom("jobs", "mail"),
      itemsMax: fc.integer({ min: 0, max: 3 }),
    }),
  },
)
const program = fc.array(fc.array(step, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 8 })

/** Runs batches of steps on the store and on the model, and compares results and queues after each. */
const run = (queues: Queues, batches: ReadonlyArray<ReadonlyArray<Step>>) =>
  Effect.gen(function* () {
    const model = new QueueModel()
    let ids = 0
    for (const steps of batches) {
      const operations: Array<QueueOperation> = []
      const expected = []
      for (const one of steps) {
        const operation = operationOf(one, model, () => `item-${++ids}`)
        operations.push(operation)
        expected.push(model.apply(operation))
      }
      expect(yield* queues.apply(operations)).toEqual(expected)
      expect(yield* queues.queues).toEqual(model.states)
      for (const { queue } of model.states) {
        const items = yield* read(queues, queue)
        expect(items.map(({ attempts, death, id, sequence }) => ({ id, sequence, attempts, death }))).toEqual(
          model.items(queue),
        )
      }
    }
  })

const operationOf = (step: Step, model: QueueModel, makeId: () => string): QueueOperation => {
  switch (step.type) {
    case "enqueue":
      return enqueue(step.queue, ...Array.from({ length: step.items }, makeId))
    case "ackRange": {
      const first = model.items(step.queue)[step.aim]?.sequence ?? 1
      return ackRange(step.queue, first, first + step.items - 1)
    }
    case "ack":
      return ack(step.queue, model.items(step.queue)[step.aim]?.id ?? "nothing")
    case "reject":
      return reject(step.queue, model.items(step.queue)[step.aim]?.id ?? "nothing", step.attemptsMax)
    case "redrive":
      return redrive(step.queue, step.itemsMax)
  }
}
