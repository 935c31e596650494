/**
 * Running a test's body with a store on a place of its own.
 */
import * as Effect from "effect/Effect"
import type { StoreUnusable } from "../../domain/errors.ts"
import { CursorStore } from "../../storage/CursorStore.ts"
import { LogStore } from "../../storage/LogStore.ts"
import { QueueStore } from "../../storage/QueueStore.ts"
import { RecordStore } from "../../storage/RecordStore.ts"
import type { StorageSuiteOptions, OpenOptions, StorePlace } from "./StorePlace.ts"
import { ownNode } from "./fixtures.ts"

type Store = LogStore["Service"]

/** Opens the place's store for the time of an effect. */
export const opened = <A, E>(
  place: StorePlace,
  use: (store: Store) => Effect.Effect<A, E>,
  options: OpenOptions = {},
): Effect.Effect<A, E | StoreUnusable> =>
  Effect.flatMap(LogStore, use).pipe(Effect.provide(place.open({ node: ownNode, ...options })))

/** The same for its store of queues. */
export const openedQueues = <A, E>(
  place: StorePlace,
  use: (queues: QueueStore["Service"]) => Effect.Effect<A, E>,
): Effect.Effect<A, E | StoreUnusable> =>
  Effect.flatMap(QueueStore, use).pipe(Effect.provide(place.open({ node: ownNode })))

/** The same for its store of cursors. */
export const openedCursors = <A, E>(
  place: StorePlace,
  use: (cursors: CursorStore["Service"]) => Effect.Effect<A, E>,
): Effect.Effect<A, E | StoreUnusable> =>
  Effect.flatMap(CursorStore, use).pipe(Effect.provide(place.open({ node: ownNode })))

/** The same for its store of records. */
export const openedRecords = <A, E>(
  place: StorePlace,
  use: (records: RecordStore["Service"]) => Effect.Effect<A, E>,
): Effect.Effect<A, E | StoreUnusable> =>
  Effect.flatMap(RecordStore, use).pipe(Effect.provide(place.open({ node: ownNode })))

/** A new place, and a store of queues on it for the time of an effect. */
export const withQueues = <A, E>(
  { makePlace }: StorageSuiteOptions,
  use: (queues: QueueStore["Service"]) => Effect.Effect<A, E>,
): Effect.Effect<A, E | StoreUnusable> => Effect.scoped(Effect.flatMap(makePlace, (place) => openedQueues(place, use)))

/** A new place, and a store on it for the time of an effect. */
export const withStore = <A, E>(
  { makePlace }: StorageSuiteOptions,
  use: (store: Store) => Effect.Effect<A, E>,
  options: OpenOptions = {},
): Effect.Effect<A, E | StoreUnusable> =>
  Effect.scoped(Effect.flatMap(makePlace, (place) => opened(place, use, options)))

/** A new place, for tests that open it more than once. */
export const withPlace = <A, E>(
  { makePlace }: StorageSuiteOptions,
  use: (place: StorePlace) => Effect.Effect<A, E>,
): Effect.Effect<A, E> => Effect.scoped(Effect.flatMap(makePlace, use))
