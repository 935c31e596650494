/**
 * The client: the figures of a node elsewhere.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type { InvalidArgument } from "../../../domain/errors.ts"
import { Stats } from "../../../stats/Stats.ts"
import { only } from "../server/answers.ts"
import type { Current, TlsDialOptions } from "../../../transport/tls.ts"
import * as Connection from "../client/connection.ts"
import { StatsService } from "../gen/millrace/v1/stats_pb.ts"
import { plainStats } from "./statsCodec.ts"

export interface GrpcStatsOptions {
  /** `grpc://HOST:PORT` */
  readonly url: string
  /** Shown with every call, so that the node's access rules know who calls. */
  readonly token?: Redacted.Redacted | undefined
  /** For `grpcs://`; without it those are trusted that Node trusts. */
  readonly tls?: Current<TlsDialOptions> | undefined
  /** How long an answer may take; by default 5 seconds. */
  readonly timeout?: Duration.Input | undefined
}

/** The figures of the node at a URL. Fails with `InvalidArgument` where the URL is none of ours. */
export const layerStats = (options: GrpcStatsOptions): Layer.Layer<Stats, InvalidArgument> =>
  Layer.effect(
    Stats,
    Effect.gen(function* () {
      const connection = yield* Connection.make({
        url: options.url,
        token: options.token,
        tls: options.tls,
        receiveBytesMax: 4 * 1024 * 1024,
        timeoutMillis: Duration.toMillis(options.timeout ?? "5 seconds"),
      })
      const answer = connection.read(StatsService.method.getStats, { $typeName: "millrace.v1.GetStatsRequest" })
      return Stats.of({ current: Effect.map(always(answer), plainStats) })
    }),
  )

const always = only<never>()
