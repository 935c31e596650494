/**
 * The topics and queues of the node that a command talks to, over gRPC or over a socket: its URL decides.
 */
import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { type InvalidArgument, Unavailable } from "../domain/errors.ts"
import type { ConnectError } from "../exchange/Exchange.ts"
import type { ReconnectEvent } from "../protocol/grpc/index.ts"
import type { SyncControl } from "../replication/index.ts"
import type { Queues } from "../queues/Queues.ts"
import type { Stats } from "../stats/Stats.ts"
import type { Topics } from "../topics/Topics.ts"
import * as Endpoint from "../transport/Endpoint.ts"
import { tell } from "./io/Output.ts"
import { findTarget, type NodeAt, type Target } from "./NodeAt.ts"
import type { UsageError } from "./UsageError.ts"

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

type Failure = InvalidArgument | ConnectError | UsageError

const overSocket = ({ tls, url }: Target): Layer.Layer<Topics | Queues, Failure> =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("../protocol/busrt/index.ts")),
      (Busrt) => Busrt.layer({ url, tls, name: clientName(Option.none()) }),
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

const atTarget = <Service, E>(
  at: NodeAt,
  make: (target: Target) => Layer.Layer<Service, E>,
): Layer.Layer<Service, E | UsageError> => Layer.unwrap(Effect.map(findTarget(at), make))

/**
 * The topics of the node. Subscriptions that are lost and regained over gRPC are told on stderr. Publishes are not
 * repeated here: `publish --lines` does it where it can tell.
 */
export const layer = (at: NodeAt): Layer.Layer<Topics, Failure> =>
  atTarget(at, (target): Layer.Layer<Topics, Failure> =>
    socketOf(target.url) === undefined
      ? overGrpc(({ layerTopics }) =>
          layerTopics({ ...target, token: findToken(), onReconnect: tellReconnect, repeatFor: 0 }),
        )
      : overSocket(target),
  )

/** The queues of the node. */
export const layerOfQueues = (at: NodeAt): Layer.Layer<Queues, Failure> =>
  atTarget(at, (target): Layer.Layer<Queues, Failure> =>
    socketOf(target.url) === undefined
      ? overGrpc(({ layerQueues }) => layerQueues({ ...target, token: findToken(), onReconnect: tellReconnect }))
      : overSocket(target),
  )

/** The figures of a node, over gRPC. */
export const layerOfStats = (target: Target): Layer.Layer<Stats, InvalidArgument> =>
  overGrpc(({ layerStats }) => layerStats({ ...target, token: findToken() }))

/** How a node stands with its peers, over gRPC. */
export const layerOfSync = (target: Target): Layer.Layer<SyncControl, InvalidArgument> =>
  overGrpc(({ layerSync }) => layerSync({ ...target, token: findToken() }))
