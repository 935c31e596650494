/** What a peer asks for over millrace.v1. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { BusError } from "../../../src/protocol/grpc/codec/errorCodec.ts"
import { fromStatus } from "../../../src/protocol/grpc/codec/errorCodec.ts"
import * as Connection from "../../../src/protocol/grpc/client/connection.ts"
import { nextOf } from "../../../src/protocol/grpc/client/nextAnswer.ts"
import { nodeMessage } from "../../../src/protocol/grpc/codec/codec.ts"
import { SyncService } from "../../../src/protocol/grpc/gen/millrace/v1/sync_pb.ts"
import { headsOf } from "../../../src/protocol/grpc/sync/headBatches.ts"
import { defaultNodeId } from "../../../src/domain/NodeId.ts"
import type { Outcome, Path, Where } from "./Cell.ts"
import { outcomeOf } from "./durablePaths.ts"
import * as model from "./model.ts"

const { method } = SyncService

export interface SyncPlace {
  readonly connection: Connection.Connection
  /** What is told while something is published to every topic. */
  readonly told: Effect.Effect<Outcome>
}

/** Watches, has something published everywhere, and gives what was told until nothing moves any more. */
const tellingOf = (connection: Connection.Connection, publish: Effect.Effect<void>): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const { call } = connection.openStream(method.watchHeads, { $typeName: "millrace.v1.WatchHeadsRequest" })
    yield* Effect.addFinalizer(() => Effect.sync(() => call.cancel()))
    const next = nextOf(call)
    const seen: Array<string> = []
    const answer = Effect.flatMap(next, (step): Effect.Effect<ReadonlyArray<string>, BusError> => {
      if ("answer" in step) return Effect.succeed(headsOf(step.answer.heads).map(({ topic }) => topic))
      const refusal = step.failure === undefined ? undefined : fromStatus(step.failure)
      return refusal === undefined ? Effect.die(step.failure) : Effect.fail(refusal)
    })
    return yield* outcomeOf(
      Effect.gen(function* () {
        yield* answer
        yield* publish
        for (let topics = yield* answer; topics.length > 0; topics = yield* answer) seen.push(...topics)
      }),
      () => seen,
    )
  }).pipe(Effect.scoped)

export const syncPaths: ReadonlyArray<Path<SyncPlace>> = [
  {
    name: "Heads",
    verb: "sync",
    objects: [...model.topics, "$msgbus.delete"],
    isFiltered: true,
    seenAs: "sync",
    attempt: ({ connection }) =>
      outcomeOf(connection.readAll(method.heads, { $typeName: "millrace.v1.HeadsRequest" }), (answers) =>
        answers.flatMap(({ heads }) => headsOf(heads).map(({ topic }) => topic)),
      ),
  },
  {
    name: "Fetch",
    verb: "sync",
    objects: [...model.topics, ...model.reservedTopics],
    attempt: ({ connection }, { object }) =>
      outcomeOf(
        connection.readAll(method.fetch, {
          $typeName: "millrace.v1.SyncServiceFetchRequest",
          log: { $typeName: "millrace.v1.Log", topic: object, origin: nodeMessage(defaultNodeId) },
          from: 1n,
          limit: 10,
        }),
      ),
  },
  {
    name: "WatchHeads",
    verb: "sync",
    objects: model.topics,
    isFiltered: true,
    seenAs: "sync",
    attempt: ({ told }) => told,
  },
]

/** @param publish to every topic */
export const make = (url: string, publish: Effect.Effect<void>): Where<SyncPlace> => ({
  name: "millrace.v1 as a peer",
  paths: syncPaths,
  as: (principal) =>
    Effect.gen(function* () {
      const token = Redacted.make(model.tokenOf(principal))
      const options = { url, token, timeoutMillis: 30_000, receiveBytesMax: 1024 * 1024 }
      const connection = yield* Effect.orDie(Connection.make(options))
      return { connection, told: yield* Effect.cached(tellingOf(connection, publish)) }
    }),
})
