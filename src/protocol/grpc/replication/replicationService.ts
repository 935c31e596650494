/**
 * `millrace.v1.ReplicationService` over the service `SyncControl`.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { check } from "../../../access/denied.ts"
import { InvalidArgument } from "../../../domain/errors.ts"
import * as Topic from "../../../domain/Topic.ts"
import type { SyncControl } from "../../../replication/index.ts"
import * as codec from "../codec/codec.ts"
import { type GetStatusResponse, ReplicationService } from "../gen/millrace/v1/replication_pb.ts"
import type { Sessions } from "../server/session.ts"
import { resolveResponse, selectionOf, statusResponse } from "./replicationCodec.ts"

/** About what a peer or a log takes on the wire. */
const stateBytes = 256

const weigh = ({ event }: GetStatusResponse): number => {
  const states = event.case === "status" ? event.value.peers : event.case === "logs" ? event.value.logs : []
  return stateBytes * (states.length + 1)
}

const invalid = (argument: string, message: string) => Effect.fail(new InvalidArgument({ argument, message }))

export const register = (sessions: Sessions, control: SyncControl["Service"]): void => {
  const { method } = ReplicationService

  sessions.serverStream(
    method.getStatus,
    { weigh, endless: false },
    Effect.fnUntraced(function* ({ logs, origin, peer, topics }, outlet, permissions) {
      yield* check(permissions, "admin", "peers")
      const selection = selectionOf(logs)
      if (Option.isNone(selection)) return yield* invalid("logs", `logs are "all", "troubled", or empty for none`)
      const wanted = { logs: selection.value, origin: yield* codec.optionalNode(origin), peer, topics }
      yield* Stream.runForEachArray(control.status(wanted), (events) => outlet.send(events.map(statusResponse)))
    }),
  )

  sessions.unary(
    method.resolve,
    Effect.fnUntraced(function* ({ keep, log, peer }, { permissions }) {
      yield* check(permissions, "admin", "peers")
      if (keep !== "local" && keep !== "peer") return yield* invalid("keep", `keep is "local" or "peer"`)
      if (log?.origin === undefined) return yield* invalid("log", "a log has a topic and an origin")
      const problem = Topic.problem(log.topic)
      if (problem !== undefined) return yield* invalid("log", problem)
      const origin = yield* codec.node(log.origin)
      return resolveResponse(yield* control.resolve({ topic: log.topic, origin }, keep, peer))
    }),
  )
}
