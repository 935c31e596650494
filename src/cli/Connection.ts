/**
 * Where a command finds its node: `--url`, else `MILLRACE_URL`, else what the node of `./millrace-data` says of itself,
 * else the default address. And the topics and queues of that node.
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { InvalidArgument } from "../domain/errors.ts"
import * as EndpointsFile from "../node/EndpointsFile.ts"
import { layerQueues, layerStats, layerTopics, type ReconnectEvent } from "../protocol/grpc/index.ts"
import type { Queues } from "../queues/Queues.ts"
import type { Stats } from "../stats/Stats.ts"
import type { Topics } from "../topics/Topics.ts"
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

/**
 * The topics of the node at the URL. Lost and regained subscriptions are told on stderr. Publishes are not repeated
 * here: `publish --lines` does it where it can tell.
 */
export const layer = (url: Option.Option<string>): Layer.Layer<Topics, InvalidArgument> =>
  layerTopics({ url: findUrl(url), token: findToken(), onReconnect: tellReconnect, repeatFor: 0 })

/** The queues of the node at the URL. */
export const layerOfQueues = (url: Option.Option<string>): Layer.Layer<Queues, InvalidArgument> =>
  layerQueues({ url: findUrl(url), token: findToken(), onReconnect: tellReconnect })

/** The figures of the node at the URL. */
export const layerOfStats = (url: Option.Option<string>): Layer.Layer<Stats, InvalidArgument> =>
  layerStats({ url: findUrl(url), token: findToken() })
