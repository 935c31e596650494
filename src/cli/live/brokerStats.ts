/**
 * `stats` over a socket: what the broker tells of the live plane, a line each interval, an object a line with `--json`.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ClientName from "../../domain/ClientName.ts"
import * as Rpc from "../../rpc/index.ts"
import * as Output from "../io/Output.ts"
import { age, bytes, count, rate } from "../io/units.ts"
import * as LiveConnection from "./LiveConnection.ts"
import type { NodeAt } from "../NodeAt.ts"

export interface BrokerStatsInput {
  readonly interval: Duration.Duration
  readonly once: boolean
  readonly at: NodeAt
  readonly json: boolean
}

/** What `.broker` answers to `stats`: what came from clients (`r_`) and went to them (`w_`), since its start. */
const BrokerStats = Schema.Struct({
  uptime: Schema.Int,
  r_frames: Schema.Int,
  r_bytes: Schema.Int,
  w_frames: Schema.Int,
  w_bytes: Schema.Int,
})
type BrokerStats = typeof BrokerStats.Type

const line = (before: BrokerStats, now: BrokerStats, seconds: number): string =>
  [
    `up ${age(now.uptime)}`,
    `in ${rate((now.r_frames - before.r_frames) / seconds)}`,
    `out ${rate((now.w_frames - before.w_frames) / seconds)}`,
    `since its start in ${count(now.r_frames)} (${bytes(now.r_bytes)})`,
    `out ${count(now.w_frames)} (${bytes(now.w_bytes)})`,
  ].join("  ")

export const brokerStats = Effect.fnUntraced(function* ({ interval, json, once, at }: BrokerStatsInput) {
  yield* Effect.scoped(
    Effect.gen(function* () {
      const rpc = yield* Rpc.make(yield* LiveConnection.connect({ name: Option.none(), at }))
      const ask = Rpc.callValue(rpc, ClientName.broker, "stats", undefined, BrokerStats)
      let before = yield* ask
      const show = Effect.gen(function* () {
        yield* Effect.sleep(interval)
        const now = yield* ask
        yield* json ? Output.writeJson(now) : Output.write(`${line(before, now, Duration.toSeconds(interval))}\n`)
        before = now
      })
      yield* once ? show : Effect.forever(show)
    }),
  )
})
