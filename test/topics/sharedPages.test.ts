/**
 * Pages of replay that are read once for all who ask for them at about the same time: how often the store is read, and that
 * nobody gets what was deleted before.
 */
import { expect, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Layer, Stream } from "effect"
import { type JournalFilter, LogStore } from "../../src/storage/LogStore.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as sharedPages from "../../src/topics/internal/sharedPages.ts"
import { Topics } from "../../src/topics/Topics.ts"
import { defaultTopicsSettings, layer, TopicsSettings } from "../../src/topics/index.ts"

const all: JournalFilter = { topics: "#", origin: undefined }
const tenRows = { rows: 10, bytes: 1_000_000 }
const log = (store: LogStore["Service"]) => ({ topic: "a", origin: store.info.node })

const draft = (number: number) => ({
  topic: "a",
  id: `message-${number}`,
  createdAt: 0,
  headers: {},
  payload: Buffer.from(String(number)),
})

/** A store that counts how often its journal is read, and reads it only while the gate is open. */
const makeStore = Effect.gen(function* () {
  const store = yield* LogStore
  const gate = yield* Latch.make(true)
  const counts = { reads: 0 }
  const watched = LogStore.of({
    ...store,
    readJournal: (after, filter, limit) =>
      Effect.flatMap(store.readJournal(after, filter, limit), (page) => {
        counts.reads++
        return Effect.as(gate.await, page)
      }),
  })
  const services = yield* Layer.build(sharedPages.layer.pipe(Layer.provide(Layer.succeed(LogStore, watched))))
  const shared = yield* Effect.provideContext(LogStore, services)
  yield* shared.append([Array.from({ length: 100 }, (_, i) => draft(i + 1))])
  return { shared, gate, counts }
})

const onMemory = Effect.provide(Memory.layer())

it.effect("who asks while a page is being read gets that page", () =>
  Effect.gen(function* () {
    const { counts, gate, shared } = yield* makeStore
    yield* gate.close
    const asking = yield* Effect.forkChild(
      Effect.all(
        Array.from({ length: 10 }, () => shared.readJournal(0, all, tenRows)),
        { concurrency: "unbounded" },
      ),
      { startImmediately: true },
    )
    yield* gate.open
    const pages = yield* Fiber.join(asking)
    expect(pages.map(({ messages }) => messages.length)).toEqual(Array.from({ length: 10 }, () => 10))
    expect(counts.reads).toBe(1)
  }).pipe(onMemory),
)

it.effect("whoever asked first may leave", () =>
  Effect.gen(function* () {
    const { counts, gate, shared } = yield* makeStore
    yield* gate.close
    const [first, second] = yield* Effect.all([
      Effect.forkChild(shared.readJournal(0, all, tenRows), { startImmediately: true }),
      Effect.forkChild(shared.readJournal(0, all, tenRows), { startImmediately: true }),
    ])
    yield* Fiber.interrupt(first)
    yield* gate.open
    expect((yield* Fiber.join(second)).messages).toHaveLength(10)
    expect(counts.reads).toBe(1)
  }).pipe(onMemory),
)

it.effect("a page is remembered from the second time on that one of its filter is asked for again", () =>
  Effect.gen(function* () {
    const { counts, shared } = yield* makeStore
    const replay = Effect.forEach([0, 10, 20, 30, 40], (after) => shared.readJournal(after, all, tenRows))
    yield* replay
    expect(counts.reads).toBe(5)
    const second = yield* replay
    expect(counts.reads).toBe(10)
    const third = yield* replay
    expect(counts.reads).toBe(10)
    expect(third).toEqual(second)
  }).pipe(onMemory),
)

it.effect("the journal's last page is read again: there may be more", () =>
  Effect.gen(function* () {
    const { shared } = yield* makeStore
    for (let i = 0; i < 3; i++) yield* shared.readJournal(90, all, tenRows)
    yield* shared.append([[draft(101)]])
    expect((yield* shared.readJournal(90, all, { rows: 20, bytes: 1_000_000 })).messages).toHaveLength(11)
    expect((yield* shared.readJournal(90, all, tenRows)).end).toBe(101)
  }).pipe(onMemory),
)

it.effect("what was deleted is in no page that is asked for after that", () =>
  Effect.gen(function* () {
    const { gate, shared } = yield* makeStore
    for (let i = 0; i < 3; i++) yield* shared.readJournal(0, all, tenRows)
    yield* gate.close
    // On its way with what is there now.
    const before = yield* Effect.forkChild(shared.readJournal(10, all, tenRows), { startImmediately: true })
    yield* shared.tombstone({ log: log(shared), from: 1, to: 20, marker: undefined })
    const after = yield* Effect.forkChild(
      Effect.all([shared.readJournal(0, all, tenRows), shared.readJournal(10, all, tenRows)], {
        concurrency: "unbounded",
      }),
      { startImmediately: true },
    )
    yield* gate.open
    const pages = yield* Fiber.join(after)
    expect(pages.flatMap(({ messages }) => messages).every(({ deleted }) => deleted)).toBe(true)
    expect((yield* Fiber.join(before)).messages.some(({ deleted }) => deleted)).toBe(false)
  }).pipe(onMemory),
)

it.effect("what was discarded is in no page that is asked for after that", () =>
  Effect.gen(function* () {
    const { counts, shared } = yield* makeStore
    for (let i = 0; i < 3; i++) yield* shared.readJournal(0, all, tenRows)
    const { reads } = counts
    yield* shared.readJournal(0, all, tenRows)
    expect(counts.reads).toBe(reads)
    yield* shared.discard(log(shared), 3)
    expect((yield* shared.readJournal(0, all, tenRows)).messages.map(({ offset }) => offset)).toEqual([1, 2])
  }).pipe(onMemory),
)

/** Stores whose pages can be released, and what became of each. */
const releasing = Effect.gen(function* () {
  const store = yield* LogStore
  const released: Array<number> = []
  const watched = LogStore.of({
    ...store,
    readJournal: (after, filter, limit) =>
      Effect.map(store.readJournal(after, filter, limit), (page) => ({
        ...page,
        release: () => void released.push(after),
      })),
  })
  return { watched, released }
})

it.effect("a page is released when all who got it have given it back, and it is not remembered any more", () =>
  Effect.gen(function* () {
    const { released, watched } = yield* releasing
    const services = yield* Layer.build(sharedPages.layer.pipe(Layer.provide(Layer.succeed(LogStore, watched))))
    const shared = yield* Effect.provideContext(LogStore, services)
    yield* shared.append([Array.from({ length: 100 }, (_, i) => draft(i + 1))])
    const alone = yield* shared.readJournal(0, all, tenRows)
    alone.release!()
    alone.release!()
    expect(released).toEqual([0])
    // Asked for again, it is remembered from here on: that is a share too.
    const [first, second] = yield* Effect.all([
      shared.readJournal(0, all, tenRows),
      shared.readJournal(0, all, tenRows),
    ])
    first.release!()
    first.release!()
    second.release!()
    expect(released).toEqual([0])
    const third = yield* shared.readJournal(0, all, tenRows)
    yield* shared.tombstone({ log: log(shared), from: 1, to: 1, marker: undefined })
    expect(released).toEqual([0])
    third.release!()
    expect(released).toEqual([0, 0])
  }).pipe(onMemory),
)

it.effect("what was lent to a subscriber is released when it asks for more, and nothing is otherwise", () =>
  Effect.gen(function* () {
    const { released, watched } = yield* releasing
    const topics = layer.pipe(
      Layer.provide(Layer.succeed(LogStore, watched)),
      Layer.provide(Layer.succeed(TopicsSettings, { ...defaultTopicsSettings, pageMessagesMax: 10 })),
    )
    yield* Effect.gen(function* () {
      const { publishAll, subscribe } = yield* Topics
      yield* publishAll(Array.from({ length: 50 }, (_, i) => ({ topic: "a", payload: String(i) })))
      const atChunks: Array<ReadonlyArray<number>> = []
      const read = (filter: string, areLent: boolean) =>
        subscribe(filter, { from: "start", areLent }).pipe(
          Stream.take(50),
          Stream.runForEachArray(() => Effect.sync(() => void atChunks.push([...released]))),
        )
      yield* read("#", false)
      expect(released).toEqual([])
      atChunks.length = 0
      yield* read("a", true)
      expect(atChunks).toEqual([[], [0], [0, 10], [0, 10, 20], [0, 10, 20, 30]])
    }).pipe(Effect.provide(topics))
  }).pipe(onMemory),
)

it.effect("ten subscribers that replay together cost the store little more than one", () =>
  Effect.gen(function* () {
    let reads = 0
    const counted = Layer.effect(
      LogStore,
      Effect.map(LogStore, (store) =>
        LogStore.of({
          ...store,
          readJournal: (after, filter, limit) =>
            Effect.suspend(() => {
              reads++
              return store.readJournal(after, filter, limit)
            }),
        }),
      ),
    )
    const memory = Memory.layer()
    const topics = layer.pipe(
      Layer.provide(counted),
      Layer.provide(memory),
      Layer.provide(Layer.succeed(TopicsSettings, { ...defaultTopicsSettings, pageMessagesMax: 10 })),
    )
    yield* Effect.gen(function* () {
      const { publishAll, subscribe } = yield* Topics
      yield* publishAll(Array.from({ length: 1000 }, (_, i) => ({ topic: "a", payload: String(i) })))
      const read = subscribe("#", { from: "start" }).pipe(
        Stream.take(1000),
        Stream.map(({ offset }) => offset),
        Stream.runCollect,
      )
      const all = yield* Effect.all(
        Array.from({ length: 10 }, () => read),
        { concurrency: "unbounded" },
      )
      for (const offsets of all) expect(offsets).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1))
      expect(reads).toBeGreaterThanOrEqual(100)
      expect(reads).toBeLessThan(300)
    }).pipe(Effect.provide(topics))
  }),
)
