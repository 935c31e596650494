/**
 * `bench exchange`: how fast a node's live plane is for clients like this process.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { parseDuration } from "../../node/NodeConfig.ts"
import { layerExchange } from "../../protocol/busrt/index.ts"
import * as Endpoint from "../../transport/Endpoint.ts"
import * as Arguments from "../arguments.ts"
import { unanswered } from "../Connection.ts"
import * as Output from "../io/Output.ts"
import { UsageError } from "../UsageError.ts"
import { type BenchRow, run } from "./exchangeBench.ts"
import { findEndpoint } from "./LiveConnection.ts"
import type { NodeAt } from "../NodeAt.ts"

export interface BenchInput {
  readonly workers: Option.Option<string>
  readonly payloadSize: Option.Option<string>
  readonly time: Option.Option<string>
  readonly inFlight: Option.Option<string>
  readonly at: NodeAt
  readonly json: boolean
}

const nameWidth = 44
const rateWidth = 12

const line = ({ name, rate, unit }: BenchRow): string =>
  `${name.padEnd(nameWidth)}${Math.round(rate).toLocaleString("en").padStart(rateWidth)} ${unit}\n`

const number = (flag: string, given: Option.Option<string>, otherwise: number, min: number) =>
  Option.isNone(given) ? Effect.succeed(otherwise) : Arguments.wholeNumber(flag, given.value, min)

const timeOf = (given: Option.Option<string>): Effect.Effect<number, UsageError> => {
  if (Option.isNone(given)) return Effect.succeed(1000)
  const duration = parseDuration(given.value)
  return duration === undefined || Duration.toMillis(duration) === 0
    ? Effect.fail(new UsageError({ message: `--time takes a time such as 500ms, 2s or 1m, not ${given.value}` }))
    : Effect.succeed(Duration.toMillis(duration))
}

export const benchExchange = Effect.fnUntraced(function* (input: BenchInput) {
  const workers = yield* number("--workers", input.workers, 4, 1)
  const payloadBytes = yield* number("--payload-size", input.payloadSize, 100, 0)
  const inFlight = yield* number("--in-flight", input.inFlight, 64, 1)
  const millis = yield* timeOf(input.time)
  const { endpoint, tls } = yield* findEndpoint(input.at)
  const report = (row: BenchRow) => (input.json ? Output.writeJson(row) : Output.write(line(row)))
  yield* Effect.scoped(run({ workers, payloadBytes, millis, inFlight }, report)).pipe(
    Effect.provide(layerExchange({ endpoint, tls })),
    Effect.catchTag("Unavailable", (error) => Effect.fail(unanswered(Endpoint.format(endpoint))(error))),
  )
})
