/**
 * `stats`: how a node is doing, again and again: a table that is drawn in place on a terminal, a line each time where
 * the output is no terminal, an object a line with `--json`. With `--once`, the table (or the object), and the end.
 *
 * Over gRPC these are all figures of the node; over a socket those of its live plane (`live/brokerStats.ts`).
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { parseDuration } from "../../node/NodeConfig.ts"
import { Stats, type StatsSnapshot } from "../../stats/Stats.ts"
import * as Connection from "../Connection.ts"
import * as Output from "../io/Output.ts"
import { figures } from "./statsFigures.ts"
import { line, table } from "./statsTable.ts"
import { UsageError } from "../UsageError.ts"
import { findTarget, type NodeAt } from "../NodeAt.ts"

export interface StatsInput {
  readonly interval: Option.Option<string>
  readonly once: boolean
  readonly at: NodeAt
  readonly json: boolean
}

const intervalOf = (text: string): Effect.Effect<Duration.Duration, UsageError> => {
  const interval = parseDuration(text)
  return interval === undefined || Duration.toMillis(interval) < 100
    ? Effect.fail(
        new UsageError({ message: `--interval takes a time from 100ms on, such as 1s, not ${JSON.stringify(text)}` }),
      )
    : Effect.succeed(interval)
}

/** A table that takes the place of the one before it. */
const drawer = () => {
  let drawn = 0
  return (lines: ReadonlyArray<string>) => {
    const back = drawn === 0 ? "" : `\x1b[${drawn}A\r\x1b[J`
    drawn = lines.length
    return Output.write(`${back}${lines.join("\n")}\n`)
  }
}

const once = Effect.fnUntraced(function* (stats: Stats["Service"], interval: Duration.Duration, json: boolean) {
  const before = yield* stats.current
  yield* Effect.sleep(interval)
  const now = figures(before, yield* stats.current)
  yield* json ? Output.writeJson(now) : Output.write(`${table(now).join("\n")}\n`)
})

const again = Effect.fnUntraced(function* (stats: Stats["Service"], interval: Duration.Duration, json: boolean) {
  const isTerminal = process.stdout.isTTY && !json
  const draw = drawer()
  const show = (before: StatsSnapshot | undefined, after: StatsSnapshot) => {
    const now = figures(before, after)
    // One row less than there are: the cursor stands in the last one.
    if (isTerminal) return draw(table(now, process.stdout.rows - 1))
    if (before === undefined) return Effect.void
    return json ? Output.writeJson(now) : Output.write(`${line(now)}\n`)
  }
  let before: StatsSnapshot | undefined = yield* stats.current
  yield* show(undefined, before)
  while (true) {
    yield* Effect.sleep(interval)
    const answer: Result.Result<StatsSnapshot, { readonly message: string }> = yield* Effect.result(stats.current)
    if (Result.isSuccess(answer)) {
      yield* show(before, answer.success)
      before = answer.success
    } else if (before !== undefined) {
      // Said once: a node that is started again is shown again.
      before = undefined
      const sentence = `${answer.failure.message}; trying again`
      yield* isTerminal ? draw([sentence]) : Output.tell(sentence)
    }
  }
})

export const stats = Effect.fnUntraced(function* (input: StatsInput) {
  const interval = yield* intervalOf(Option.getOrElse(input.interval, () => "1s"))
  const target = yield* findTarget(input.at)
  if (Connection.socketOf(target.url) !== undefined) {
    const { brokerStats } = yield* Effect.promise(() => import("../live/brokerStats.ts"))
    return yield* brokerStats({ ...input, interval })
  }
  yield* Effect.provide(
    Effect.flatMap(Stats, (service) => (input.once ? once : again)(service, interval, input.json)),
    Connection.layerOfStats(target),
  )
})
