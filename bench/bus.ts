/**
 * Topics over a store, and what the suites have them do: publishing alone and in batches, and replaying.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Stream from "effect/Stream"
import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { StoreServices } from "../src/storage/Stores.ts"
import * as Topics from "../src/topics/index.ts"

export type TopicsService = Topics.Topics["Service"]

export const payload = Buffer.alloc(100, "x")
/** Messages of a batch, which is a commit. */
export const batchSize = 1000
const batch = Array.from({ length: batchSize }, () => ({ topic: "bench", payload }))
/** The same for a baseline, which is given ids. */
export const payloads = batch.map((draft) => draft.payload)
export const ids = batch.map(() => randomUUID())

/** A directory that is removed by a call. */
export const makeDirectory = (): readonly [path: string, remove: () => void] => {
  const directory = mkdtempSync(join(tmpdir(), "millrace-bench-"))
  return [directory, () => rmSync(directory, { recursive: true, force: true })]
}

/** Topics over a store of their own. */
export class Bus {
  readonly #runtime

  constructor(store: Layer.Layer<StoreServices, unknown>) {
    this.#runtime = ManagedRuntime.make(Topics.layer.pipe(Layer.provide(store)))
  }

  run<A>(use: (topics: TopicsService) => Effect.Effect<A, unknown>): Promise<A> {
    return this.#runtime.runPromise(Effect.flatMap(Topics.Topics, use))
  }

  close(): Promise<void> {
    return this.#runtime.dispose()
  }
}

/** `publishers` fibers, each publishing one message after another. */
export const publishConcurrently = (topics: TopicsService, publishers: number, each: number, topic = "bench") =>
  Effect.gen(function* () {
    const publisher = Effect.gen(function* () {
      for (let i = 0; i < each; i++) yield* topics.publish(topic, payload)
    })
    const fibers = yield* Effect.forEach(Array.from({ length: publishers }), () => Effect.forkChild(publisher))
    yield* Fiber.joinAll(fibers)
  })

/** One batch after another. */
export const publishBatches = (topics: TopicsService, count: number, topic = "bench") =>
  Effect.gen(function* () {
    const drafts = topic === "bench" ? batch : batch.map((draft) => ({ ...draft, topic }))
    for (let i = 0; i < count; i += batchSize) yield* topics.publishAll(drafts)
  })

/** Subscribes from the start and reads so many messages. */
export const replay = (topics: TopicsService, count: number) =>
  topics.subscribe("bench", { from: "start" }).pipe(
    Stream.chunks,
    Stream.takeUntil((messages) => messages[messages.length - 1]!.offset >= count),
    Stream.runDrain,
  )
