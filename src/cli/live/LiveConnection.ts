/**
 * How a command of the live plane reaches its node: over a socket, by `--url`, else `MILLRACE_URL`, else what the node of
 * `./millrace-data` says of itself; and the client that the command is there.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { Unavailable } from "../../domain/errors.ts"
import { type ConnectError, Exchange, type ExchangeClient } from "../../exchange/index.ts"
import * as EndpointsFile from "../../node/EndpointsFile.ts"
import { layerExchange, type ReconnectEvent } from "../../protocol/busrt/index.ts"
import * as Endpoint from "../../transport/Endpoint.ts"
import type { TlsDialOptions } from "../../transport/tls.ts"
import { clientName, unanswered } from "../Connection.ts"
import * as Output from "../io/Output.ts"
import { UsageError } from "../UsageError.ts"
import { defaultDirectory, givenUrl, type NodeAt, tlsFor } from "../NodeAt.ts"

export interface LiveInput {
  /** The name to be known by; else `MILLRACE_NAME`, else one is made up. */
  readonly name: Option.Option<string>
  readonly at: NodeAt
}

const takes = "unix:PATH, tcp:HOST:PORT, ws://HOST:PORT, tls:HOST:PORT or wss://HOST:PORT"

const parse = (text: string): Effect.Effect<Endpoint.Endpoint, UsageError> => {
  const parsed = Endpoint.parse(text)
  return Result.isSuccess(parsed)
    ? Effect.succeed(parsed.success)
    : Effect.fail(new UsageError({ message: `the live plane is reached by ${takes}, not by ${JSON.stringify(text)}` }))
}

/** A node's socket, and how it is reached under TLS. */
export interface LiveTarget {
  readonly endpoint: Endpoint.Endpoint
  readonly tls: TlsDialOptions | undefined
}

/** Where the node is that the command talks to. */
export const findEndpoint = (at: NodeAt): Effect.Effect<LiveTarget, UsageError | Unavailable> =>
  Effect.gen(function* () {
    const given = givenUrl(at)
    if (given !== undefined) return { endpoint: yield* parse(given), tls: yield* tlsFor(given, at) }
    const published = EndpointsFile.read(defaultDirectory)
    if (Option.isNone(published)) {
      return yield* new Unavailable({
        message: `no node runs in ${defaultDirectory}: start one with millrace serve, or say where it is with --url`,
      })
    }
    const [first] = published.value.busrt ?? []
    if (first !== undefined) {
      return { endpoint: yield* parse(first), tls: yield* tlsFor(first, at, published.value) }
    }
    return yield* new Unavailable({
      message: `the node of ${defaultDirectory} does not serve the live plane: its --busrt is off`,
    })
  })

/** Tells when the connection is lost, and when it is back. */
const teller = () => {
  let isLost = false
  return ({ _tag }: ReconnectEvent): Effect.Effect<void> => {
    if (_tag === "Retrying" || (_tag === "Connected" && !isLost)) return Effect.void
    isLost = _tag === "Lost"
    return Output.tell(isLost ? "the connection is lost; trying again" : "connected again")
  }
}

/** Connects to the node, as a client that is there until the scope closes. */
export const connect = ({
  name,
  at,
}: LiveInput): Effect.Effect<ExchangeClient, ConnectError | UsageError, Scope.Scope> =>
  Effect.gen(function* () {
    const { endpoint, tls } = yield* findEndpoint(at)
    const connecting = Effect.flatMap(Exchange, (exchange) => exchange.connect(clientName(name)))
    return yield* connecting.pipe(
      Effect.provide(layerExchange({ endpoint, tls, onEvent: teller() })),
      Effect.catchTag("Unavailable", (error) => Effect.fail(unanswered(Endpoint.format(endpoint))(error))),
    )
  })
