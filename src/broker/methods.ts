/**
 * What can be asked of `.broker`, as BUS/RT has it. Parameters and results are MessagePack.
 *
 * `test`, `info` and `stats` take no parameters. `client.list` takes `{filter}`, a pattern that is looked for anywhere in
 * a name: a regular expression, of which only that part can be used that is matched in a time in proportion to the name
 * (`internal/namePattern.ts`), for a pattern comes from anybody. `benchmark.test` answers its parameters as they came.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type ClientInfo, clientsOf, type RoutingCore } from "../exchange/index.ts"
import * as Rpc from "../rpc/index.ts"
import { NameFilter } from "./internal/nameFilter.ts"

/** Who answers, as `info` says. */
export interface BrokerInfo {
  readonly author: string
  readonly version: string
}

const withoutParams =
  <A>(answer: Effect.Effect<A>): Rpc.RpcHandler =>
  ({ method, params }) =>
    params.length > 0
      ? Effect.fail(Rpc.rpcError(Rpc.ErrorCode.invalidParams, `${method} takes no parameters`))
      : Effect.map(answer, Rpc.MessagePack.encode)

const counters = (
  from: Pick<RoutingCore, "framesIn" | "bytesIn" | "framesOut" | "bytesOut">,
): Record<string, number> => ({
  r_frames: from.framesIn,
  r_bytes: from.bytesIn,
  w_frames: from.framesOut,
  w_bytes: from.bytesOut,
})

const entryOf = (client: ClientInfo): Record<string, unknown> => ({
  name: client.name,
  kind: client.kind,
  source: client.source,
  // A text, for BUS/RT also has paths here.
  port: client.port === undefined ? undefined : `${client.port}`,
  ...counters(client),
  queue: client.queued,
  instances: client.instances,
})

const ListParams = Schema.NullishOr(Schema.Struct({ filter: Schema.optional(Schema.NullOr(Schema.String)) }))

const invalidFilter = (reason: string): Rpc.RpcError =>
  Rpc.rpcError(Rpc.ErrorCode.invalidParams, `the filter cannot be used: ${reason}`)

const filtered = (
  clients: ReadonlyArray<ClientInfo>,
  pattern: string,
): Effect.Effect<ReadonlyArray<ClientInfo>, Rpc.RpcError> => {
  const made = NameFilter.make(pattern)
  if (Result.isFailure(made)) return Effect.fail(invalidFilter(made.failure))
  const found: Array<ClientInfo> = []
  for (const client of clients) {
    const isFound = made.success.finds(client.name)
    if (isFound === undefined) return Effect.fail(invalidFilter("it takes too long"))
    if (isFound) found.push(client)
  }
  return Effect.succeed(found)
}

/** The handlers, from the moment at which the broker has started. */
export const handlers = (
  core: RoutingCore,
  info: BrokerInfo,
  startedNanos: bigint,
): Readonly<Record<string, Rpc.RpcHandler>> => ({
  test: withoutParams(Effect.succeed({ ok: true })),
  info: withoutParams(Effect.succeed(info)),
  stats: withoutParams(
    Clock.clockWith((clock) =>
      Effect.sync(() => ({
        uptime: Number((clock.monotonicTimeNanosUnsafe() - startedNanos) / 1_000_000_000n),
        ...counters(core),
      })),
    ),
  ),
  "client.list": Rpc.valueHandler(ListParams, (params) => {
    const clients = clientsOf(core)
    const pattern = params?.filter ?? undefined
    const found = pattern === undefined ? Effect.succeed(clients) : filtered(clients, pattern)
    return Effect.map(found, (clients) => ({ clients: clients.map(entryOf) }))
  }),
  "benchmark.test": ({ params }) => Effect.succeed(params),
})
