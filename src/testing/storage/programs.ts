/**
 * Random programs against a store and against the model (`StorageModel`): every answer must be the same.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as fc from "fast-check"
import type { StoreUnusable } from "../../domain/errors.ts"
import { makeHeaders } from "../../domain/Message.ts"
import { type Draft, type KeyWindow, LogStore, type PageLimit, type ReplicatedMessage } from "../../storage/LogStore.ts"
import type { StorageSuiteOptions, StorePlace } from "./StorePlace.ts"
import {
  acceptBlocks,
  acceptedOf,
  encodeReplicas,
  readBlocks,
  replicasFrom,
} from "../../storage/parts/ReplicaBlocks.ts"
import { contentOf, otherNode, ownNode } from "./fixtures.ts"
import { readPages } from "./reads.ts"
import { observe, StorageModel } from "./StorageModel.ts"
import * as Layer from "effect/Layer"
import * as Context from "effect/Context"

type Store = LogStore["Service"]

/** Small on purpose, so that programs run into the window. */
const keyWindow: KeyWindow = { millis: 300, count: 5 }

const topics = ["a", "a/b", "a/c", "b", "c/b", "c/c", "d", "e", "f", "g", "h"]
const filters = [...topics.slice(0, 3), "a/#", "+", "+/b", "#", "+/+", "$msgbus.delete", "none"]

interface DraftShape {
  readonly topic: string
  readonly content: number
  readonly key: number | undefined
}

type Command =
  | { readonly type: "append"; readonly requests: ReadonlyArray<ReadonlyArray<DraftShape>>; readonly millis: number }
  | {
      readonly type: "accept"
      readonly isOwn: boolean
      readonly topic: string
      /** Offset of the first message, from the head + 1. */
      readonly start: number
      readonly contents: ReadonlyArray<{ readonly content: number; readonly deleted: boolean; readonly skip: boolean }>
    }
  | {
      readonly type: "tombstone"
      readonly isOwn: boolean
      readonly topic: string
      readonly from: number
      readonly length: number
    }
  | { readonly type: "discard"; readonly isOwn: boolean; readonly topic: string; readonly from: number }
  | {
      readonly type: "read"
      readonly after: number
      readonly filter: string
      readonly isOwn: boolean | undefined
      readonly limit: PageLimit
    }
  | { readonly type: "reopen" }

const topic = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("a", "a/b") },
  { weight: 1, arbitrary: fc.constantFrom(...topics) },
)

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("append" as const),
      requests: fc.array(
        fc.array(fc.record({ topic, content: fc.nat(2), key: fc.option(fc.nat(3), { nil: undefined }) }), {
          maxLength: 4,
        }),
        { maxLength: 5 },
      ),
      millis: fc.nat(200),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("accept" as const),
      isOwn: fc.constantFrom(false, false, false, true),
      topic,
      start: fc.integer({ min: -2, max: 1 }),
      contents: fc.array(
        fc.record({
          content: fc.constantFrom(0, 0, 0, 0, 0, 0, 1),
          deleted: fc.constantFrom(false, false, false, true),
          skip: fc.constantFrom(false, false, false, false, false, false, true),
        }),
        { maxLength: 6 },
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("tombstone" as const),
      isOwn: fc.boolean(),
      topic,
      from: fc.integer({ min: 1, max: 8 }),
      length: fc.integer({ min: 1, max: 5 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("discard" as const),
      isOwn: fc.boolean(),
      topic,
      from: fc.integer({ min: 1, max: 8 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("read" as const),
      after: fc.nat(30),
      filter: fc.constantFrom(...filters),
      isOwn: fc.constantFrom(true, false, undefined),
      limit: fc.record({ rows: fc.integer({ min: 1, max: 12 }), bytes: fc.integer({ min: 1, max: 60 }) }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ type: "reopen" as const }) },
)

export const programTests = (options: StorageSuiteOptions): void => {
  describe("any program", () => {
    it("gives what the model gives", { timeout: 120_000 }, () =>
      fc.assert(
        fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 25 }), (commands) =>
          Effect.runPromise(
            Effect.scoped(
              Effect.flatMap(options.makePlace, (place) => run(place, options.keepsData !== false, commands)),
            ),
          ),
        ),
        { numRuns: options.programs ?? 50 },
      ),
    )
  })
}

const run = (
  place: StorePlace,
  reopens: boolean,
  commands: ReadonlyArray<Command>,
): Effect.Effect<void, StoreUnusable> =>
  Effect.gen(function* () {
    const model = new StorageModel(ownNode, keyWindow)
    let open = yield* openStore(place)
    let now = 1000
    for (const [index, command] of commands.entries()) {
      const { store } = open
      switch (command.type) {
        case "append": {
          now += command.millis
          yield* compareAppend(store, model, toDrafts(command.requests, index, now))
          break
        }
        case "accept": {
          yield* compareAccept(store, model, command)
          break
        }
        case "tombstone": {
          const { from, isOwn, length, topic } = command
          const request = {
            log: { topic, origin: isOwn ? ownNode : otherNode },
            from,
            to: from + length - 1,
            marker: isOwn ? { id: `marker-${index}`, createdAt: now } : undefined,
          }
          const result = yield* Effect.orDie(store.tombstone(request))
          const marker = result.marker === undefined ? undefined : observe(result.marker)
          expect({ deleted: result.deleted, marker }).toEqual(model.tombstone(request))
          break
        }
        case "discard": {
          const log = { topic: command.topic, origin: command.isOwn ? ownNode : otherNode }
          expect(yield* Effect.orDie(store.discard(log, command.from))).toEqual(model.discard(log, command.from))
          break
        }
        case "read": {
          const origin = command.isOwn === undefined ? undefined : command.isOwn ? ownNode : otherNode
          const filter = { topics: command.filter, origin }
          const messages = yield* Effect.orDie(readPages(store, command.after, filter, command.limit))
          expect(messages.map(observe)).toEqual(model.selected(command.after, filter))
          break
        }
        case "reopen": {
          if (!reopens) break
          yield* open.close
          open = yield* openStore(place)
          break
        }
      }
      expect(yield* Effect.orDie(open.store.heads)).toEqual(model.heads())
      expect(yield* Effect.orDie(open.store.end)).toBe(model.end)
    }
    yield* compareLogs(open.store, model)
    yield* open.close
    if (!reopens) return
    open = yield* openStore(place)
    yield* compareLogs(open.store, model)
    yield* open.close
  })

/** A store in a scope of its own, to be closed in the middle of a program. */
const openStore = (place: StorePlace) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(place.open({ node: ownNode, keyWindow }), scope)
    return { store: Context.get(context, LogStore), close: Scope.close(scope, Exit.void) }
  })

const toDrafts = (
  requests: ReadonlyArray<ReadonlyArray<DraftShape>>,
  command: number,
  createdAt: number,
): ReadonlyArray<ReadonlyArray<Draft>> =>
  requests.map((request, i) =>
    request.map(({ content, key, topic }, j): Draft => ({
      topic,
      id: `${command}-${i}-${j}`,
      createdAt,
      headers: makeHeaders(content === 2 ? { content: "2" } : undefined),
      payload: Buffer.from(`content ${content}`),
      key: key === undefined ? undefined : `key ${key}`,
    })),
  )

const compareAppend = (store: Store, model: StorageModel, requests: ReadonlyArray<ReadonlyArray<Draft>>) =>
  Effect.map(Effect.orDie(store.append(requests)), (result) => {
    expect(result).toEqual(model.append(requests))
  })

const compareAccept = (store: Store, model: StorageModel, command: Command & { readonly type: "accept" }) =>
  Effect.gen(function* () {
    const log = { topic: command.topic, origin: command.isOwn ? ownNode : otherNode }
    let offset = Math.max(1, model.head(log) + 1 + command.start)
    const messages = command.contents.map(({ content, deleted, skip }): ReplicatedMessage => {
      if (skip) offset += 1
      return {
        offset,
        id: `${command.topic}-${offset}`,
        createdAt: offset++,
        headers: makeHeaders(undefined),
        payload: Buffer.from(`content ${content}`),
        deleted,
      }
    })
    const first = messages[0]?.offset ?? 0
    const isRun = messages.length > 0 && messages.every((message, i) => message.offset === first + i)
    // Every other run encoded, as a peer gives it.
    const accept =
      isRun && first % 2 === 0
        ? Effect.map(acceptBlocks(store, log, first, encodeReplicas(messages)), (run) => ({
            accepted: acceptedOf(log, messages, run),
            head: run.head,
          }))
        : store.accept(log, messages)
    const outcome = yield* Effect.match(accept, {
      onSuccess: ({ accepted, head }) => ({ accepted: accepted.map(observe), head }),
      onFailure: (error) =>
        error._tag === "OffsetGap"
          ? { expected: error.expected, received: error.received }
          : { conflict: error._tag === "OffsetConflict" ? error.offset : error._tag },
    })
    expect(outcome).toEqual(model.accept(log, messages))
  })

const compareLogs = (store: Store, model: StorageModel) =>
  Effect.gen(function* () {
    for (const { offset, ...log } of model.heads()) {
      const expected = model.log(log)
      const head = yield* Effect.orDie(store.head(log))
      expect(Option.getOrUndefined(head)).toBe(offset)
      for (const limit of [
        { rows: 3, bytes: 1000 },
        { rows: 1000, bytes: 20 },
      ]) {
        const found = []
        for (let next = 1; next <= offset;) {
          const page = yield* Effect.orDie(store.readLog(log, next, limit))
          expect(page.length).toBeGreaterThan(0)
          const blocks = yield* Effect.orDie(readBlocks(store, log, next, { rows: page.length, bytes: 1000 }))
          const encoded = replicasFrom(next, blocks)
          expect(encoded.length).toBeGreaterThan(0)
          expect(encoded.map(contentOf)).toEqual(page.slice(0, encoded.length).map(contentOf))
          found.push(...page)
          next = page.at(-1)!.offset + 1
        }
        expect(found.map(observe)).toEqual(expected)
      }
    }
  })
