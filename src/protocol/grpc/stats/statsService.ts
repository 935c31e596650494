/**
 * `millrace.v1.StatsService` over the service `Stats`.
 */
import * as Effect from "effect/Effect"
import { check } from "../../../access/denied.ts"
import type { Stats } from "../../../stats/Stats.ts"
import { StatsService } from "../gen/millrace/v1/stats_pb.ts"
import type { Sessions } from "../server/session.ts"
import { statsMessage } from "./statsCodec.ts"

export const register = (sessions: Sessions, stats: Stats["Service"]): void =>
  sessions.unary(StatsService.method.getStats, (_, { permissions }) =>
    Effect.map(Effect.andThen(check(permissions, "admin", "stats"), stats.current), statsMessage),
  )
