/**
 * Where a command finds its node: `--url`, else `MILLRACE_URL`, else what the node of `./millrace-data` says of itself,
 * else the default address. And the topics and queues of that node, over gRPC or over a socket: the URL decides.
 */
import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { type InvalidArgument, Unavailable } from "../domain/errors.ts"
import type { ConnectError } from "../exchange/Exchange.ts"
import * as EndpointsFile from "../node/EndpointsFile.ts"
import type { ReconnectEvent } from "../protocol/grpc/index.ts"
import type { Queues } from "../queues/Queues.ts"
import type { Stats } from "../stats/Stats.ts"
import type { Topics } from "../topics/Topics.ts"
import * as Endpoint from "../transport/Endpoint.ts"
import { tell } from "./io/Output.ts"

export const defaultUrl = "grpc://127.0.0.1:50051"

/** The data directory that a node has where nobody named another. */
export const defaultDirectory = "./millrace-data"

/** The URL that somebody gave. */
export const givenUrl = (flag: Option.Option<string>): string | undefined => {
  if (Option.isSome(flag)) return flag.value
  const variable = process.env["MILLRACE_URL"]
  return variable === "" ? undefined : variable
}

/** The URL of the node to talk to. */
export const findUrl = (flag: Option.Option<string>): string => {
  const given = givenUrl(flag)
  if (given !== undefined) return given
  const published = Option.flatMapNullishOr(EndpointsFile.read(defaultDirectory), ({ grpc }) => grpc)
  return Option.getOrElse(published, () => defaultUrl)
}

/** What the command shows to the node, which may let in only who it knows. Never a flag: others can read a command line. */
export const findToken = (): Redacted.Redacted | undefined => {
  const token = process.env["MILLRACE_TOKEN"]
  return token === undefined || token === "" ? undefined : Redacted.make(token)
}

const tellReconnect = (event: ReconnectEvent): Effect.Effect<void> => {
  switch (event._tag) {
    case "Lost":
      return tell(`${event.reason}; trying again`)
    case "Restored":
      return tell(`connected to ${event.url} again`)
    case "Retrying":
      return Effect.void
  }
}

/** The name that the client of a command has on a socket, where nobody gives it one: nobody else has it. */
export const clientName = (flag: Option.Option<string>): string => {
  const name = Option.getOrUndefined(flag) ?? process.env["MILLRACE_NAME"]
  return name === undefined || name === "" ? `cli.${process.pid}.${randomUUID().slice(0, 8)}` : name
}

/** The endpoint of a URL that is a socket's. */
export const socketOf = (url: string): Endpoint.Endpoint | undefined => Result.getOrUndefined(Endpoint.parse(url))

/** A node that cannot be reached, told as it is over gRPC. */
export const unanswered =
  (url: string) =>
  ({ message }: Unavailable): Unavailable =>
    new Unavailable({ message: `no node answers at ${url}: ${message}` })

type Failure = InvalidArgument | ConnectError

const overSocket = (url: string): Layer.Layer<Topics | Queues, Failure> =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("../protocol/busrt/index.ts")),
      (Busrt) => Busrt.layer({ url, name: clientName(Option.none()) }),
    ),
  ).pipe(
    Layer.catch((error) =>
      Layer.effectContext(Effect.fail(error._tag === "Unavailable" ? unanswered(url)(error) : error)),
    ),
  )

type Grpc = typeof import("../protocol/grpc/index.ts")

const overGrpc = <Service>(
  make: (grpc: Grpc) => Layer.Layer<Service, InvalidArgument>,
): Layer.Layer<Service, InvalidArgument> =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("../protocol/grpc/index.ts")),
      make,
    ),
  )

/**
 * The topics of the node at the URL. Subscriptions that are lost and regained over gRPC are told on stderr. Publishes
 * are not repeated here: `publish --lines` does it where it can tell.
 */
export const layer = (flag: Option.Option<string>): Layer.Layer<Topics, Failure> => {
  const url = findUrl(flag)
  if (socketOf(url) !== undefined) return overSocket(url)
  return overGrpc(({ layerTopics }) =>
    layerTopics({ url, token: findToken(), onReconnect: tellReconnect, repeatFor: 0 }),
  )
}

/** The queues of the node at the URL. */
export const layerOfQueues = (flag: Option.Option<string>): Layer.Layer<Queues, Failure> => {
  const url = findUrl(flag)
  if (socketOf(url) !== undefined) return overSocket(url)
  return overGrpc(({ layerQueues }) => layerQueues({ url, token: findToken(), onReconnect: tellReconnect }))
}

/** The figures of the node at the URL, over gRPC. */
export const layerOfStats = (url: string): Layer.Layer<Stats, InvalidArgument> =>
  overGrpc(({ layerStats }) => layerStats({ url, token: findToken() }))
