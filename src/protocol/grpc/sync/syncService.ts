/**
 * `millrace.v1.SyncService` over the topics and the journal of a node: what a peer needs that keeps copies of its logs.
 *
 * The verb `sync` of access rules decides on every topic, whatever the caller may do with it otherwise.
 */
import * as Effect from "effect/Effect"
import { check } from "../../../access/denied.ts"
import type { Permissions } from "../../../access/Permissions.ts"
import { AccessDenied, InvalidArgument } from "../../../domain/errors.ts"
import * as NodeId from "../../../domain/NodeId.ts"
import * as Topic from "../../../domain/Topic.ts"
import type { Replica } from "../../../topics/Replica.ts"
import * as codec from "../codec/codec.ts"
import { SyncService, type WatchHeadsResponse } from "../gen/millrace/v1/sync_pb.ts"
import type { Sessions } from "../server/session.ts"
import { headBatches, weigh as weighHeads } from "./headBatches.ts"
import type { HeadMoves } from "./HeadMoves.ts"
import { answersOf } from "./logBlocks.ts"

/** How long nothing is said to a watcher, at most; it takes much more for the death of the connection. */
export const heartbeatMillis = 1000

/** How long a watcher is not told more after it was told something: what moves all the time is told so often. */
const pauseMillis = 5

/** Messages that a fetch gives at most. */
const fetchLimitMax = 10_000

const nothingAllowed = ({ principal }: Permissions): AccessDenied =>
  new AccessDenied({
    verb: "sync",
    object: "",
    principal,
    message: `access rules do not let ${principal} sync anything`,
  })

/** Lets those go on who may sync anything at all. */
const checkSome = (permissions: Permissions): Effect.Effect<void, AccessDenied> =>
  permissions.allowsSome("sync") ? Effect.void : Effect.fail(nothingAllowed(permissions))

/** What is told where nothing has moved. */
const nothing: WatchHeadsResponse = { $typeName: "millrace.v1.WatchHeadsResponse" }

export interface SyncServiceOptions {
  /** Without a guard: access is looked at here. */
  readonly replica: Replica["Service"]
  readonly moves: HeadMoves
}

export const register = (sessions: Sessions, { moves, replica }: SyncServiceOptions): void => {
  const { method } = SyncService

  sessions.unary(
    method.identify,
    Effect.fnUntraced(function* (_, { permissions }) {
      yield* checkSome(permissions)
      const { incarnation, node } = replica
      return { $typeName: "millrace.v1.IdentifyResponse", node: codec.nodeMessage(node), incarnation } as const
    }),
  )

  sessions.serverStream(
    method.heads,
    { weigh: ({ heads }) => weighHeads(heads), endless: false },
    Effect.fnUntraced(function* (_, outlet, permissions) {
      yield* checkSome(permissions)
      const all = yield* replica.heads
      const heads = permissions.allowsAll("sync") ? all : all.filter(({ topic }) => permissions.allows("sync", topic))
      yield* outlet.send(headBatches(heads).map((batch) => ({ $typeName: "millrace.v1.HeadsResponse", heads: batch })))
    }),
  )

  sessions.serverStream(
    method.watchHeads,
    { weigh: ({ heads }) => weighHeads(heads), endless: true },
    (_, outlet, permissions) =>
      Effect.scoped(
        Effect.gen(function* () {
          yield* checkSome(permissions)
          const isMeant = permissions.allowsAll("sync")
            ? () => true
            : (topic: string) => permissions.allows("sync", topic)
          const watcher = yield* moves.watch(isMeant)
          yield* outlet.send([nothing])
          while (true) {
            yield* Effect.timeoutOption(watcher.moved, heartbeatMillis)
            const batches = headBatches(watcher.take())
            if (batches.length === 0) {
              yield* outlet.send([nothing])
              continue
            }
            yield* outlet.send(batches.map((heads) => ({ ...nothing, heads })))
            yield* Effect.sleep(pauseMillis)
          }
        }),
      ),
  )

  sessions.serverStream(
    method.fetch,
    { weigh: ({ block }) => block?.content.byteLength ?? 0, endless: false },
    Effect.fnUntraced(function* ({ from, limit, log }, outlet, permissions) {
      const topic = log?.topic ?? ""
      yield* check(permissions, "sync", topic)
      const origin = yield* codec.optionalNode(log?.origin)
      if (origin === undefined) {
        return yield* new InvalidArgument({ argument: "log", message: "a log has an origin" })
      }
      const problem = Topic.problem(topic) ?? NodeId.problem(origin)
      if (problem !== undefined) return yield* new InvalidArgument({ argument: "log", message: problem })
      const first = yield* codec.integer("from", from)
      for (const [argument, value] of Object.entries({ from: first, limit })) {
        if (value >= 1) continue
        const message = `${argument} is a whole number from 1 on, not ${value}`
        return yield* new InvalidArgument({ argument, message })
      }
      const blocks = yield* replica.readBlocks({ topic, origin }, first, Math.min(limit, fetchLimitMax))
      yield* outlet.send(answersOf(first, blocks))
    }),
  )
}
